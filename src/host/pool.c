#include "host/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"

STAILQ_HEAD(job_list, pool_job);

/* Lock order: there is one lock. */
struct pool {
        struct loop *loop;
        struct loop_watch watch;
        int event_fd;
        pthread_mutex_t lock;
        pthread_cond_t wanted;
        struct job_list todo, finished;
        bool closing;
        unsigned n_threads;
        pthread_t threads[];
};

static void *pool_thread(void *arg)
{
        struct pool *p = arg;
        const uint64_t one = 1;

        pthread_mutex_lock(&p->lock);
        for (;;) {
                struct pool_job *job = STAILQ_FIRST(&p->todo);

                if (!job && p->closing)
                        break;
                if (!job) {
                        pthread_cond_wait(&p->wanted, &p->lock);
                        continue;
                }
                STAILQ_REMOVE_HEAD(&p->todo, link);
                pthread_mutex_unlock(&p->lock);
                job->work(job);
                pthread_mutex_lock(&p->lock);
                STAILQ_INSERT_TAIL(&p->finished, job, link);
                /* An eventfd's counter cannot overflow here, so this cannot fail. */
                if (write(p->event_fd, &one, sizeof one) < 0)
                        abort();
        }
        pthread_mutex_unlock(&p->lock);
        return NULL;
}

static void deliver(struct pool *p)
{
        struct job_list ready = STAILQ_HEAD_INITIALIZER(ready);
        struct pool_job *job;

        pthread_mutex_lock(&p->lock);
        STAILQ_CONCAT(&ready, &p->finished);
        pthread_mutex_unlock(&p->lock);
        while ((job = STAILQ_FIRST(&ready))) {
                STAILQ_REMOVE_HEAD(&ready, link);
                job->done(job);
        }
}

static void on_event(void *ctx, unused_param uint32_t events)
{
        struct pool *p = ctx;
        uint64_t count;

        if (read(p->event_fd, &count, sizeof count) < 0 && errno != EAGAIN)
                return;
        deliver(p);
}

static int start_threads(struct pool *p, unsigned threads)
{
        sigset_t all, before;
        int r = 0;

        /* Signals are the loop's. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        while (p->n_threads < threads && r == 0) {
                r = pthread_create(&p->threads[p->n_threads], NULL, pool_thread, p);
                if (r == 0)
                        p->n_threads++;
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return -r;
}

int pool_new(struct loop *l, unsigned threads, struct pool **ret, struct err *e)
{
        struct pool *p = calloc(1, sizeof *p + threads * sizeof(pthread_t));
        int r;

        if (!p)
                return err_set_errno(e, -ENOMEM, "make the thread pool");
        p->loop = l;
        STAILQ_INIT(&p->todo);
        STAILQ_INIT(&p->finished);
        pthread_mutex_init(&p->lock, NULL);
        pthread_cond_init(&p->wanted, NULL);
        p->watch.fd = -1;
        p->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = p->event_fd < 0 ? -errno : loop_watch(l, &p->watch, p->event_fd, EPOLLIN, on_event, p);
        if (r == 0)
                r = start_threads(p, threads);
        if (r < 0) {
                pool_free(p);
                return err_set_errno(e, r, "start the thread pool");
        }
        *ret = p;
        return 0;
}

/* What is submitted while the last jobs come back has no thread any more. */
static void work_here(struct pool *p)
{
        struct pool_job *job;

        deliver(p);
        while ((job = STAILQ_FIRST(&p->todo))) {
                STAILQ_REMOVE_HEAD(&p->todo, link);
                job->work(job);
                job->done(job);
        }
}

void pool_free(struct pool *p)
{
        if (!p)
                return;
        pthread_mutex_lock(&p->lock);
        p->closing = true;
        pthread_cond_broadcast(&p->wanted);
        pthread_mutex_unlock(&p->lock);
        for (unsigned i = 0; i < p->n_threads; i++)
                pthread_join(p->threads[i], NULL);
        work_here(p);
        loop_unwatch(p->loop, &p->watch);
        fd_close(p->event_fd);
        pthread_cond_destroy(&p->wanted);
        pthread_mutex_destroy(&p->lock);
        free(p);
}

void pool_submit(struct pool *p, struct pool_job *job)
{
        pthread_mutex_lock(&p->lock);
        STAILQ_INSERT_TAIL(&p->todo, job, link);
        pthread_cond_signal(&p->wanted);
        pthread_mutex_unlock(&p->lock);
}
