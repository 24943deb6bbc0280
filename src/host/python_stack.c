#include "host/python_stack.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"

#define FRAME        "  File \""
#define MAIN         "/forgesyte_worker/__main__.py\""
#define ASYNCIO_LOOP "/asyncio/base_events.py\""
#define HEADING      "(most recent call first):"
#define SOURCE_MAX   MIB(1)
#define SOURCE_LINE  120

static const char *line_end(const char *line)
{
        return line + strcspn(line, "\n");
}

static const char *next_line(const char *line)
{
        const char *end = line_end(line);

        return *end ? end + 1 : NULL;
}

static bool begins(const char *line, const char *with)
{
        return !strncmp(line, with, strlen(with));
}

static const char *find(const char *line, size_t n, const char *word)
{
        return memmem(line, n, word, strlen(word));
}

bool python_stack_is_ours(const char *line, size_t n)
{
        return begins(line, FRAME) &&
               (find(line, n, "/forgesyte_worker/") || begins(line, FRAME "<frozen "));
}

/* --- frames --- */

/* Is it a path that leads nowhere but down, such as a/b.py? Who prints it may have made it up. */
static bool is_below(const char *path, size_t n)
{
        for (const char *at = path, *end = path + n;; at++) {
                const char *slash = memchr(at, '/', (size_t)(end - at));
                size_t part = (size_t)((slash ? slash : end) - at);

                if (part == 0 || (part == 1 && at[0] == '.') ||
                    (part == 2 && at[0] == '.' && at[1] == '.'))
                        return false;
                if (!slash)
                        return true;
                at = slash;
        }
}

/* `  File "/plugin/plugin.py", line 12 in run`; in a traceback with a comma before `in`. */
static bool parse_frame(const char *line, const char *dir, struct python_place *ret)
{
        static const char number[] = "\", line ";
        size_t n_dir = strlen(dir), n = (size_t)(line_end(line) - line);
        const char *path = line + strlen(FRAME), *end, *in;
        char *after;
        struct python_place p = {0};

        if (!begins(line, FRAME) || strncmp(path, dir, n_dir) != 0 || path[n_dir] != '/')
                return false;
        path += n_dir + 1;
        end = find(path, (size_t)(line + n - path), number);
        if (!end || (size_t)(end - path) >= sizeof p.file || !is_below(path, (size_t)(end - path)))
                return false;
        snprintf(p.file, sizeof p.file, "%.*s", (int)(end - path), path);
        p.line = (unsigned)strtoul(end + strlen(number), &after, 10);
        after += *after == ',';
        in = begins(after, " in ") ? after + strlen(" in ") : "";
        snprintf(p.function, sizeof p.function, "%.*s", (int)strcspn(in, "\n"), in);
        *ret = p;
        return p.line > 0;
}

bool python_stack_place_of_traceback(const char *text, const char *dir, struct python_place *ret)
{
        bool found = false;

        for (; text; text = next_line(text))
                found |= parse_frame(text, dir, ret);
        return found;
}

/* --- the stacks of threads --- */

static bool is_heading(const char *line)
{
        size_t n = (size_t)(line_end(line) - line);

        return (begins(line, "Thread 0x") || begins(line, "Current thread 0x") ||
                begins(line, "Stack ")) &&
               find(line, n, HEADING);
}

static const char *next_heading(const char *line)
{
        while (line && !is_heading(line))
                line = next_line(line);
        return line;
}

/* Where the thread whose heading this is ends: at the next heading, or NULL. */
static const char *thread_end(const char *heading)
{
        const char *next = next_line(heading);

        return next ? next_heading(next) : NULL;
}

/* The heading of the main thread's stack: the last one with our __main__.py; a stack too deep to
 * show that is the last of all. */
static const char *main_thread(const char *dump)
{
        const char *last = NULL, *ours = NULL;

        for (const char *h = next_heading(dump); h; h = thread_end(h)) {
                const char *end = thread_end(h);

                if (find(h, end ? (size_t)(end - h) : strlen(h), MAIN))
                        ours = h;
                last = h;
        }
        return ours ? ours : last;
}

bool python_stack_place_of_dump(const char *dump, const char *dir, struct python_place *ret)
{
        const char *heading = main_thread(dump);
        const char *end = heading ? thread_end(heading) : NULL;

        for (const char *line = heading; line && line != end; line = next_line(line))
                if (parse_frame(line, dir, ret))
                        return true;
        return false;
}

bool python_stack_is_in_loop(const char *dump)
{
        const char *heading = main_thread(dump);
        const char *end = heading ? thread_end(heading) : NULL;

        return heading &&
               find(heading, end ? (size_t)(end - heading) : strlen(heading), ASYNCIO_LOOP);
}

bool python_stack_is_whole(const char *dump)
{
        for (const char *line = next_heading(dump); line; line = next_line(line)) {
                size_t n = (size_t)(line_end(line) - line);

                if (begins(line, FRAME) && find(line, n, MAIN) && find(line, n, " in <module>"))
                        return true;
        }
        return false;
}

/* A thread that the runtime has made for itself. */
static bool is_thread_of_ours(const char *heading, const char *end)
{
        bool ours = false;

        for (const char *line = next_line(heading); line && line != end; line = next_line(line))
                ours |= python_stack_is_ours(line, (size_t)(line_end(line) - line));
        return ours;
}

/* false: it is full. */
static bool add_line(struct str *to, size_t start, size_t max, const char *line, size_t n)
{
        if (to->len - start + n + 1 > max)
                return false;
        if (to->len > start)
                str_addc(to, '\n');
        str_add(to, line, n);
        return true;
}

/* The frames, and nothing else that stands between the headings: a plugin that prints does so in
 * the middle of it. */
static bool add_frames(struct str *to, size_t start, size_t max, const char *heading)
{
        const char *end = thread_end(heading);

        for (const char *line = next_line(heading); line && line != end; line = next_line(line)) {
                size_t n = (size_t)(line_end(line) - line);

                if (!begins(line, "  ") || python_stack_is_ours(line, n))
                        continue;
                if (!add_line(to, start, max, line, n))
                        return false;
        }
        return true;
}

void python_stack_add(struct str *to, const char *dump, size_t max)
{
        static const char first[] = "Main thread " HEADING;
        const char *main_one = main_thread(dump);
        size_t start = to->len;

        if (!main_one || !add_line(to, start, max, first, strlen(first)) ||
            !add_frames(to, start, max, main_one))
                return;
        for (const char *h = next_heading(dump); h; h = thread_end(h)) {
                if (h == main_one || is_thread_of_ours(h, thread_end(h)))
                        continue;
                if (!add_line(to, start, max, h, (size_t)(line_end(h) - h)) ||
                    !add_frames(to, start, max, h))
                        return;
        }
}

/* --- the source --- */

/* The text may name any file of the folder. What is shown is what the plugin itself may read: a box
 * has a user of its own where the host is root. */
static bool may_be_shown(int dirfd, const char *path)
{
        struct stat st;
        size_t n = strlen(path);

        return n > 3 && !strcmp(path + n - 3, ".py") &&
               fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
               (geteuid() != 0 || st.st_mode & S_IROTH);
}

static void add_source(struct str *to, const struct python_place *p, const char *folder)
{
        scoped(fd) int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        scoped(free) char *text = NULL;
        const char *line;
        size_t size = 0;
        struct err ignored; /* without its source a place still says where */

        if (dir < 0 || !may_be_shown(dir, p->file) ||
            fd_read_file_below(dir, p->file, SOURCE_MAX, &text, &size, &ignored) < 0)
                return;
        line = text;
        for (unsigned i = 1; line && i < p->line; i++)
                line = next_line(line);
        if (!line)
                return;
        line += strspn(line, " \t");
        if (line_end(line) == line)
                return;
        str_adds(to, ": ");
        str_add_printable(to, line, (size_t)(line_end(line) - line), SOURCE_LINE);
}

void python_stack_add_place(struct str *to, const struct python_place *p, const char *folder)
{
        str_addf(to, "%s line %u", p->file, p->line);
        if (p->function[0] && strcmp(p->function, "<module>") != 0)
                str_addf(to, ", in %s", p->function);
        if (folder)
                add_source(to, p, folder);
}
