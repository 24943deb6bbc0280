#include "sandbox/plan.h"

#include <errno.h>
#include <string.h>

static const char plan_magic[8] = "FRGPLAN1";

static void put_number(struct str *s, uint64_t v)
{
        str_add(s, &v, sizeof v);
}

static void put_bytes(struct str *s, const void *p, size_t n)
{
        put_number(s, n);
        str_add(s, p, n);
}

void plan_encode(const struct plan *p, struct str *s)
{
        str_add(s, plan_magic, sizeof plan_magic);
#define X(field, meaning) put_number(s, p->field);
        PLAN_NUMBERS(X)
#undef X
        put_bytes(s, p->name, strlen(p->name));
        put_bytes(s, p->plugin_dir, strlen(p->plugin_dir));
        put_number(s, p->n_binds);
        for (size_t i = 0; i < p->n_binds; i++) {
                const struct sandbox_bind *b = &p->binds[i];
                const char *target = b->target ? b->target : b->source;

                put_bytes(s, b->source, strlen(b->source));
                put_bytes(s, target, strlen(target));
                put_number(s, b->writable);
                put_number(s, b->optional);
                put_number(s, b->link);
        }
        put_bytes(s, p->filter, p->filter_size);
}

/* A cursor whose failure sticks: look at `bad` once, at the end. */
struct cursor {
        const char *at, *end;
        bool bad, no_memory;
};

static uint64_t get_number(struct cursor *c)
{
        uint64_t v = 0;

        if (c->bad || (size_t)(c->end - c->at) < sizeof v) {
                c->bad = true;
                return 0;
        }
        memcpy(&v, c->at, sizeof v);
        c->at += sizeof v;
        return v;
}

static bool get_flag(struct cursor *c)
{
        uint64_t v = get_number(c);

        c->bad |= v > 1;
        return v == 1;
}

static char *get_bytes(struct cursor *c, size_t *ret_n)
{
        uint64_t n = get_number(c);
        char *copy;

        if (c->bad || n > (uint64_t)(c->end - c->at)) {
                c->bad = true;
                return NULL;
        }
        copy = mem_dup0(c->at, n);
        c->no_memory |= !copy;
        c->bad = !copy;
        c->at += n;
        *ret_n = n;
        return copy;
}

static char *get_text(struct cursor *c)
{
        size_t n = 0;
        char *text = get_bytes(c, &n);

        c->bad |= text && strlen(text) != n;
        return text;
}

static void get_binds(struct cursor *c, struct plan *p)
{
        uint64_t n = get_number(c);

        if (c->bad || n > (uint64_t)(c->end - c->at) / (5 * sizeof n)) {
                c->bad = true;
                return;
        }
        p->binds = calloc(n + 1, sizeof *p->binds);
        c->no_memory = c->bad = !p->binds;
        for (; !c->bad && p->n_binds < n; p->n_binds++) {
                struct sandbox_bind *b = &p->binds[p->n_binds];

                b->source = get_text(c);
                b->target = get_text(c);
                b->writable = get_flag(c);
                b->optional = get_flag(c);
                b->link = get_flag(c);
        }
}

int plan_decode(const void *bytes, size_t n, struct plan *ret, struct err *e)
{
        scoped(plan) struct plan p = {0};
        struct cursor c = {bytes, (const char *)bytes + n, false, false};

        if (n < sizeof plan_magic || memcmp(bytes, plan_magic, sizeof plan_magic) != 0)
                return err_set(e, -EBADMSG, "the host speaks of another version of this program");
        c.at += sizeof plan_magic;
#define X(field, meaning) p.field = get_number(&c);
        PLAN_NUMBERS(X)
#undef X
        p.name = get_text(&c);
        p.plugin_dir = get_text(&c);
        get_binds(&c, &p);
        p.filter = get_bytes(&c, &p.filter_size);
        if (c.no_memory)
                return err_set_errno(e, -ENOMEM, "read the host's orders");
        if (c.bad || c.at != c.end)
                return err_set(e, -EBADMSG, "the host's orders are garbled");
        *ret = p;
        p = (struct plan){0};
        return 0;
}

void plan_done(struct plan *p)
{
        for (size_t i = 0; i < p->n_binds; i++) {
                free(p->binds[i].source);
                free(p->binds[i].target);
        }
        free(p->binds);
        free(p->name);
        free(p->plugin_dir);
        free(p->filter);
        *p = (struct plan){0};
}
