#include "host/plugin_log.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"

void plugin_log_init(struct plugin_log *l)
{
        *l = (struct plugin_log){.next_number = 1};
        STAILQ_INIT(&l->lines);
}

/* Empty lines cost memory, too. */
static size_t cost_of(const struct plugin_log_line *line)
{
        return sizeof *line + line->len + 1;
}

static void drop_oldest(struct plugin_log *l)
{
        struct plugin_log_line *line = STAILQ_FIRST(&l->lines);

        STAILQ_REMOVE_HEAD(&l->lines, link);
        l->bytes -= cost_of(line);
        l->dropped_bytes += line->len;
        free(line);
}

void plugin_log_done(struct plugin_log *l)
{
        while (!STAILQ_EMPTY(&l->lines))
                drop_oldest(l);
}

void plugin_log_writer_done(struct plugin_log_writer *w)
{
        str_done(&w->part);
}

void plugin_log_add(struct plugin_log *l, enum plugin_log_stream stream, const char *text, size_t n,
                    int64_t real_ns)
{
        struct plugin_log_line *line = NULL;
        scoped(str) struct str shown = {0};

        /* Nothing grows to more than four times its size by being made printable. */
        str_add_printable(&shown, text, n, n > PLUGIN_LOG_LINE ? PLUGIN_LOG_LINE : 4 * n + 4);
        str_add(&shown, "", 0);
        if (!shown.bad)
                line = malloc(sizeof *line + shown.len + 1);
        if (!line) {
                l->dropped_bytes += n;
                return;
        }
        *line = (struct plugin_log_line){
            .number = l->next_number++, .at_ns = real_ns, .stream = stream, .len = shown.len};
        memcpy(line->text, shown.data, shown.len + 1);
        STAILQ_INSERT_TAIL(&l->lines, line, link);
        l->bytes += cost_of(line);
        if (l->on_line)
                l->on_line(l->ctx, l, line);
        while (l->bytes > PLUGIN_LOG_BYTES)
                drop_oldest(l);
}

void plugin_log_flush(struct plugin_log *l, struct plugin_log_writer *w,
                      enum plugin_log_stream stream, int64_t real_ns)
{
        if (w->part.len > 0)
                plugin_log_add(l, stream, w->part.data, w->part.len, real_ns);
        str_done(&w->part);
}

/* How many bytes at the end begin a character whose rest is still to come. */
static size_t begun_character(const char *text, size_t n)
{
        for (size_t i = 1; i <= MIN_OF(n, 3u); i++) {
                unsigned char c = (unsigned char)text[n - i];
                size_t whole = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

                if ((c & 0xc0) != 0x80)
                        return whole > i ? i : 0;
        }
        return 0;
}

/* A line that goes on becomes one, but for a character that would be cut in two. */
static void cut_line(struct plugin_log *l, struct plugin_log_writer *w,
                     enum plugin_log_stream stream, int64_t real_ns)
{
        size_t rest = begun_character(w->part.data, w->part.len);

        w->part.len -= rest;
        plugin_log_add(l, stream, w->part.data, w->part.len, real_ns);
        memmove(w->part.data, w->part.data + w->part.len, rest);
        w->part.len = rest;
}

void plugin_log_write(struct plugin_log *l, struct plugin_log_writer *w,
                      enum plugin_log_stream stream, const char *bytes, size_t n, int64_t real_ns)
{
        while (n > 0) {
                const char *end = memchr(bytes, '\n', n);
                size_t take = end ? (size_t)(end - bytes) : n, room;
                bool whole;

                /* Not before more of it comes: how the bytes were cut on their way must not show.
                 */
                if (w->part.len >= PLUGIN_LOG_LINE && take > 0)
                        cut_line(l, w, stream, real_ns);
                room = PLUGIN_LOG_LINE - w->part.len;
                whole = end && take <= room;
                take = MIN_OF(take, room);
                str_add(&w->part, bytes, take);
                if (w->part.bad) {
                        l->dropped_bytes += take;
                        plugin_log_flush(l, w, stream, real_ns);
                } else if (whole && w->part.len == 0) {
                        plugin_log_add(l, stream, "", 0, real_ns);
                } else if (whole) {
                        plugin_log_flush(l, w, stream, real_ns);
                }
                bytes += take + whole;
                n -= take + whole;
        }
}

const char *plugin_log_stream_name(enum plugin_log_stream s)
{
        switch (s) {
        case PLUGIN_LOG_STDOUT:
                return "stdout";
        case PLUGIN_LOG_STDERR:
                return "stderr";
        case PLUGIN_LOG_LOG:
                return "log";
        }
        return "log";
}

void plugin_log_line_to_json(const struct plugin_log_line *line, struct str *to)
{
        char when[CLOCK_RFC3339_SIZE];

        clock_rfc3339(line->at_ns, when);
        str_addf(to, "{\"number\":%llu,\"at\":\"%s\",\"stream\":\"%s\",\"text\":",
                 (unsigned long long)line->number, when, plugin_log_stream_name(line->stream));
        str_add_json_string(to, line->text, line->len);
        str_addc(to, '}');
}

/* The end of a line that is too long for the tail; never half a character. */
static void add_end(const struct plugin_log_line *line, size_t max, struct str *to)
{
        const char *from = line->text + line->len - MIN_OF(line->len, max);

        while (((unsigned char)*from & 0xc0) == 0x80)
                from++;
        str_adds(to, from);
}

void plugin_log_tail(const struct plugin_log *l, uint64_t from, size_t max, struct str *to)
{
        const struct plugin_log_line *line;
        size_t total = 0;

        STAILQ_FOREACH (line, &l->lines, link)
                if (line->number >= from && line->stream == PLUGIN_LOG_STDERR)
                        total += line->len + 1;
        STAILQ_FOREACH (line, &l->lines, link) {
                if (line->number < from || line->stream != PLUGIN_LOG_STDERR)
                        continue;
                if (total <= max) {
                        str_add(to, line->text, line->len);
                        str_addc(to, '\n');
                }
                total -= line->len + 1;
                if (total == 0 && to->len == 0)
                        add_end(line, max, to);
        }
        if (to->len > 0 && to->data[to->len - 1] == '\n')
                to->data[--to->len] = '\0';
}
