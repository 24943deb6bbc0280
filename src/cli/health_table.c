#include "cli/health_table.h"

#include <errno.h>
#include <string.h>

#include "cli/client.h"
#include "cli/terminal.h"

/* ---- the table ---- */

static void add_number(struct terminal_table *t, const json_t *object, const char *key)
{
        double value = client_number(object, key, -1);
        char text[32];

        snprintf(text, sizeof text, value < 0 ? "-" : value < 10 ? "%.3g" : "%.0f", value);
        terminal_table_add(t, text);
}

static void add_text(struct terminal_table *t, const json_t *object, const char *key)
{
        const char *text = client_text(object, key);

        terminal_table_add(t, *text ? text : "-");
}

/* Without the traceback or the stack that it ends in, which `status` shows. */
static void add_reason(struct terminal_table *t, const json_t *plugin)
{
        static const char *const ends[] = {"\nTraceback (", "\n  File \"", "Last stderr: "};
        const char *reason = client_text(plugin, "reason");
        scoped(str) struct str words = {0};
        size_t n = strlen(reason);

        for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
                const char *end = strstr(reason, ends[i]);

                n = end ? MIN_OF(n, (size_t)(end - reason)) : n;
        }
        while (n > 0 && (reason[n - 1] == ' ' || reason[n - 1] == '\n'))
                n--;
        str_add(&words, reason, n);
        terminal_table_add(t, words.data ? words.data : "");
}

int health_table_print(const json_t *plugins, FILE *to, struct err *e)
{
        static const char *const heading[] = {"NAME",   "STATE",  "VERSION",   "OK",
                                              "ERRORS", "AVG MS", "LAST USED", "REASON"};
        scoped(terminal_table) struct terminal_table t = {.columns = ARRAY_LEN(heading)};
        size_t i;
        json_t *plugin;

        for (i = 0; i < ARRAY_LEN(heading); i++)
                terminal_table_add(&t, heading[i]);
        json_array_foreach (plugins, i, plugin) {
                if (!json_is_object(plugin))
                        continue;
                add_text(&t, plugin, "name");
                add_text(&t, plugin, "state");
                add_text(&t, plugin, "version");
                add_number(&t, plugin, "success_count");
                add_number(&t, plugin, "error_count");
                add_number(&t, plugin, "avg_execution_time_ms");
                add_text(&t, plugin, "last_used");
                add_reason(&t, plugin);
        }
        if (t.bad)
                return err_set_errno(e, -ENOMEM, "lay out a table");
        terminal_table_print(&t, to, 1, terminal_has_color(to));
        return 0;
}

/* ---- the page ---- */

/* Each line of the text below the first, behind the label or the mark. */
static void put_lines(FILE *to, const char *label, const char *mark, const char *text)
{
        do {
                size_t n = strcspn(text, "\n");

                fprintf(to, "  %-12s %s", label, mark);
                terminal_put(to, text, n);
                fputc('\n', to);
                label = "";
                text += n + (text[n] != '\0');
        } while (*text);
}

static void put_line(FILE *to, const char *label, const char *text)
{
        put_lines(to, label, "", text);
}

static void put_text(FILE *to, const char *label, const json_t *object, const char *key)
{
        const char *text = client_text(object, key);

        if (*text)
                put_line(to, label, text);
}

static void put_duration(FILE *to, const char *label, double seconds)
{
        unsigned long s = seconds > 0 && seconds < 1e12 ? (unsigned long)seconds : 0;

        if (seconds < 0)
                return;
        if (s >= 86400)
                fprintf(to, "  %-12s %lu d %lu h\n", label, s / 86400, s / 3600 % 24);
        else if (s >= 3600)
                fprintf(to, "  %-12s %lu h %lu min\n", label, s / 3600, s / 60 % 60);
        else
                fprintf(to, "  %-12s %lu min %lu s\n", label, s / 60, s % 60);
}

static double mebibytes(const json_t *object, const char *key)
{
        return client_number(object, key, 0) / 0x1p20;
}

static void put_counters(FILE *to, const json_t *h)
{
        double last = client_number(h, "last_execution_time_ms", -1);

        fprintf(to, "  %-12s %.0f ok, %.0f failed, %.0f running, %.0f waiting\n", "calls",
                client_number(h, "success_count", 0), client_number(h, "error_count", 0),
                client_number(h, "in_flight", 0), client_number(h, "queue_depth", 0));
        if (last >= 0)
                fprintf(to, "  %-12s %.1f ms the last, %.1f ms on average\n", "time", last,
                        client_number(h, "avg_execution_time_ms", last));
}

static void put_limits(FILE *to, const json_t *h)
{
        const json_t *limits = json_object_get(h, "limits");
        const json_t *instances = json_object_get(h, "instances"), *instance;
        size_t i;

        if (limits)
                fprintf(to, "  %-12s %g s, %.0f MiB\n", "limits",
                        client_number(limits, "timeout_seconds", 0),
                        mebibytes(limits, "memory_bytes"));
        json_array_foreach (instances, i, instance)
                fprintf(to, "  %-12s pid %.0f: %.1f MiB, %.1f MiB at most, %.0f calls\n",
                        i ? "" : "instances", client_number(instance, "pid", 0),
                        mebibytes(instance, "rss_bytes"), mebibytes(instance, "peak_rss_bytes"),
                        client_number(instance, "calls", 0));
}

static void put_isolation(FILE *to, const json_t *h)
{
        const json_t *isolation = json_object_get(h, "isolation"), *item;
        scoped(str) struct str s = {0};
        size_t i;

        if (!json_is_object(isolation))
                return;
        str_adds(&s, client_text(isolation, "level"));
        json_array_foreach (json_object_get(isolation, "namespaces"), i, item)
                str_addf(&s, "%s%s", i ? ", " : "; namespaces ",
                         json_is_string(item) ? json_string_value(item) : "?");
        if (json_is_true(json_object_get(isolation, "seccomp")))
                str_adds(&s, "; seccomp");
        if (client_number(isolation, "landlock_abi", 0) > 0)
                str_addf(&s, "; Landlock %.0f", client_number(isolation, "landlock_abi", 0));
        str_addf(&s, "; memory by %s", client_text(isolation, "memory"));
        if (!s.bad)
                put_line(to, "isolation", s.data);
        json_array_foreach (json_object_get(isolation, "reasons"), i, item)
                put_line(to, "", json_is_string(item) ? json_string_value(item) : "");
}

/* Words without the last lines of stderr that they end in: those stand under `last failure`. */
static size_t words_before_tail(const char *words, const char *tail)
{
        const char *quoted = *tail ? strstr(words, "Last stderr: ") : NULL;
        size_t n = quoted ? (size_t)(quoted - words) : strlen(words);

        while (n > 0 && (words[n - 1] == ' ' || words[n - 1] == '\n'))
                n--;
        return n;
}

static void put_reason(FILE *to, const json_t *h)
{
        const char *reason = client_text(h, "reason");
        const char *tail = client_text(json_object_get(h, "last_failure"), "stderr_tail");
        scoped(str) struct str s = {0};

        str_add(&s, reason, words_before_tail(reason, tail));
        if (s.len)
                put_line(to, "reason", s.data);
}

/* The reason may have said it: then when that was, and what it is called. */
static void put_failure(FILE *to, const json_t *h)
{
        const json_t *failure = json_object_get(h, "last_failure");
        const char *error = client_text(failure, "error"),
                   *type = client_text(failure, "error_type");
        const char *tail = client_text(failure, "stderr_tail");
        scoped(str) struct str s = {0};

        if (!json_is_object(failure))
                return;
        str_addf(&s, "%s, %s", client_text(failure, "at"), type);
        if (strncmp(error, type, strlen(type)) == 0 && error[strlen(type)] == ':')
                error += strlen(type) + 1 + strspn(error + strlen(type) + 1, " ");
        if (*error && !strstr(client_text(h, "reason"), error)) {
                str_adds(&s, ": ");
                str_add(&s, error, words_before_tail(error, tail));
        }
        if (!s.bad)
                put_line(to, "last failure", s.data);
        if (*tail)
                put_lines(to, "", "| ", tail);
}

void health_table_page(const json_t *h, FILE *to)
{
        const char *name = client_text(h, "name"), *state = client_text(h, "state");
        const char *on = terminal_has_color(to) ? terminal_state_color(state) : "";

        terminal_put(to, name, strlen(name));
        fprintf(to, "\n  %-12s %s", "state", on);
        terminal_put(to, state, strlen(state));
        fprintf(to, "%s\n", *on ? TERMINAL_COLOR_OFF : "");
        put_reason(to, h);
        put_text(to, "version", h, "version");
        put_text(to, "description", h, "description");
        fprintf(to, "  %-12s %.0f\n", "generation", client_number(h, "generation", 0));
        put_duration(to, "up", client_number(h, "uptime_seconds", -1));
        put_text(to, "last used", h, "last_used");
        put_counters(to, h);
        put_text(to, "prefork", h, "prefork");
        put_limits(to, h);
        put_isolation(to, h);
        put_failure(to, h);
}
