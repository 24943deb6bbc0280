#include "cli/sse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void sse_done(struct sse *s)
{
        str_done(&s->line);
        str_done(&s->data);
}

/* An empty line: what was gathered is an event, if it has data. */
static int dispatch(struct sse *s, struct err *e)
{
        int r = 0;

        if (s->has_data && !s->data.bad)
                r = s->event(s->ctx, s->name[0] ? s->name : "message", s->data.data, s->data.len,
                             e);
        s->data.len = 0;
        s->has_data = false;
        s->name[0] = '\0';
        return r;
}

static int take_line(struct sse *s, const char *line, size_t n, struct err *e)
{
        const char *colon = memchr(line, ':', n), *value;
        size_t name_len = colon ? (size_t)(colon - line) : n, value_len;

        if (n == 0)
                return dispatch(s, e);
        value = colon ? colon + 1 : line + n;
        value += value < line + n && *value == ' ';
        value_len = (size_t)(line + n - value);
        if (name_len == 4 && !memcmp(line, "data", 4)) {
                if (s->has_data)
                        str_addc(&s->data, '\n');
                str_add(&s->data, value, value_len);
                s->has_data = true;
        } else if (name_len == 5 && !memcmp(line, "event", 5)) {
                snprintf(s->name, sizeof s->name, "%.*s", (int)MIN_OF(value_len, 63), value);
        }
        return 0;
}

/* Lines end in LF, CR LF or CR alone. */
static int feed_byte(struct sse *s, char c, struct err *e)
{
        bool skip = s->after_cr && c == '\n';
        int r;

        s->after_cr = c == '\r';
        if (skip)
                return 0;
        if (c != '\n' && c != '\r') {
                str_addc(&s->line, c);
                return 0;
        }
        r = take_line(s, s->line.data ? s->line.data : "", s->line.len, e);
        s->line.len = 0;
        return r;
}

int sse_feed(struct sse *s, const char *bytes, size_t n, struct err *e)
{
        for (size_t i = 0; i < n; i++) {
                int r = feed_byte(s, bytes[i], e);

                if (r < 0)
                        return r;
                if (s->line.len + s->data.len > SSE_EVENT_MAX)
                        return err_set(e, -EFBIG, "an event larger than %zu bytes",
                                       (size_t)SSE_EVENT_MAX);
                if (s->line.bad || s->data.bad)
                        return err_set_errno(e, -ENOMEM, "read an event");
        }
        return 0;
}
