/* fuzz_log.c -- what a plugin prints: the same lines however its pipe was read, bounded, and fit to
 * be shown; and the words of a dead worker out of them. */
#include "base/json.h"
#include "fuzz.h"
#include "host/last_words.h"
#include "host/plugin_log.h"

static void feed(const uint8_t *data, size_t n, struct cut c, const void *how, struct str *trace)
{
        struct plugin_log_writer w = {{0}};
        const struct plugin_log_line *line;
        struct plugin_log log;

        (void)how;
        plugin_log_init(&log);
        for (size_t at = 0, piece; at < n; at += piece) {
                scoped(free) char *copy = NULL;

                piece = cut_piece(c, at, n);
                copy = exact_copy(data + at, piece);
                plugin_log_write(&log, &w, PLUGIN_LOG_STDERR, copy, piece, 7);
        }
        plugin_log_flush(&log, &w, PLUGIN_LOG_STDERR, 7);
        must(log.bytes <= PLUGIN_LOG_BYTES, "a log is bounded");
        STAILQ_FOREACH (line, &log.lines, link) {
                must(utf8_valid_prefix(line->text, line->len) == line->len, "a line is UTF-8");
                must(!memchr(line->text, '\n', line->len), "a line is one");
                str_addf(trace, "%llu:", (unsigned long long)line->number);
                str_add(trace, line->text, line->len);
                str_addc(trace, '\n');
        }
        plugin_log_tail(&log, 0, 300, trace);
        plugin_log_writer_done(&w);
        plugin_log_done(&log);
}

static void check_json(const uint8_t *data, size_t n)
{
        struct plugin_log log;
        const struct plugin_log_line *line;

        plugin_log_init(&log);
        plugin_log_add(&log, PLUGIN_LOG_LOG, (const char *)data, n, 7);
        STAILQ_FOREACH (line, &log.lines, link) {
                scoped(json_decref) json_t *value = NULL;
                scoped(str) struct str text = {0};

                plugin_log_line_to_json(line, &text);
                must(json_parse(text.data, text.len, &value, NULL) == 0, "a line is JSON");
        }
        plugin_log_done(&log);
}

static void check_words(const uint8_t *data, size_t n)
{
        scoped(free) char *text = exact_text(data, n);

        for (size_t max = 0; max < 400; max += 133) {
                scoped(str) struct str words = {0};

                last_words_add(&words, text, max);
                must(words.len <= max, "last words are bounded");
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        same_however_cut(data, size, NULL, feed);
        check_json(data, size);
        check_words(data, size);
        return 0;
}
