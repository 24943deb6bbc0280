#include "host/instance_verdict.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/last_words.h"
#include "host/python_stack.h"
#include "sandbox/memory_guard.h"
#include "sandbox/timeout.h"

#define TAIL_IN_WORDS 400
#define TEXT_MAX      KIB(4)
#define TRACEBACK_MAX KIB(16)
#define STACK_IN_TAIL 2000
/* A worker's exit when its end of the channel is of no use any more: docs/PROTOCOL.md, SHUTDOWN. */
#define EXIT_CHANNEL_LOST 219
/* And when an exception of the plugin's has cost the Python runtime a request or an answer. */
#define EXIT_INTERRUPTED 220

static bool is_call(const struct verdict_circumstances *c)
{
        return !strcmp(c->stage, "call");
}

static void keep_tail(const struct verdict_circumstances *c, struct tool_outcome *o)
{
        if (c->tail[0])
                o->stderr_tail = strdup(c->tail);
}

/* " It was in plugin.py line 12, in run: while True:" of what Python printed, or nothing. */
static void add_place(struct str *to, const struct verdict_circumstances *c, const char *dump)
{
        struct python_place place;

        if (c->plugin_dir && python_stack_place_of_dump(dump, c->plugin_dir, &place)) {
                str_adds(to, " It was in ");
                python_stack_add_place(to, &place, c->folder);
        } else if (c->plugin_dir && python_stack_is_in_loop(dump)) {
                str_adds(to, " It was in the event loop: an await did not end.");
        }
}

/* With the last lines of stderr, where they fit behind the sentence. */
static void fail_with_tail(struct tool_outcome *o, enum plugin_error error, const char *sentence,
                           const struct verdict_circumstances *c)
{
        scoped(str) struct str tail = {0}, place = {0};

        add_place(&place, c, c->tail);
        last_words_add(&tail, c->tail, TAIL_IN_WORDS);
        if (place.len && tail.len)
                str_addc(&place, '\n');
        else if (tail.len)
                str_addc(&place, ' ');
        if (place.bad || tail.bad) {
                str_done(&place);
                str_done(&tail);
        }
        tool_outcome_fail(o, error, "%s%s%s%s", sentence, place.len ? place.data : "",
                          tail.len ? "Last stderr: " : "", tail.len ? tail.data : "");
        keep_tail(c, o);
}

/* Where the time went, as far as Python has said. */
static void tell_stack(const struct verdict_circumstances *c, struct tool_outcome *o)
{
        scoped(str) struct str words = {0}, stack = {0}, tail = {0};

        python_stack_add(&stack, c->stack, TRACEBACK_MAX);
        if (!stack.len || !o->words)
                return;
        str_adds(&words, o->words);
        add_place(&words, c, c->stack);
        python_stack_add(&tail, c->stack, STACK_IN_TAIL);
        if (words.bad || stack.bad || tail.bad)
                return;
        free(o->words);
        o->words = str_take(&words);
        o->traceback = str_take(&stack);
        free(o->stderr_tail);
        o->stderr_tail = str_take(&tail);
}

void verdict_of_timeout(const struct verdict_circumstances *c, struct tool_outcome *o)
{
        char words[160];

        timeout_sentence(c->timeout_seconds, words, sizeof words);
        if (is_call(c))
                tool_outcome_fail(o, PLUGIN_ERROR_TIMEOUT, "%s", words);
        else
                tool_outcome_fail(o, PLUGIN_ERROR_TIMEOUT,
                                  "Plugin did not finish loading within %gs (stage=%s). Increase "
                                  "load_timeout_seconds in manifest if needed.",
                                  c->timeout_seconds, c->stage);
        keep_tail(c, o);
        if (c->stack)
                tell_stack(c, o);
}

void verdict_of_memory(const struct verdict_circumstances *c, struct tool_outcome *o)
{
        char words[MEMORY_GUARD_SENTENCE];

        if (c->shortage)
                memory_guard_shortage(c->memory_bytes, words, sizeof words);
        else
                memory_guard_sentence(c->memory_bytes, words, sizeof words);
        if (is_call(c))
                tool_outcome_fail(o, PLUGIN_ERROR_MEMORY_LIMIT, "%s", words);
        else
                tool_outcome_fail(o, PLUGIN_ERROR_MEMORY_LIMIT, "%s (stage=%s)", words, c->stage);
        keep_tail(c, o);
        o->signal = SIGKILL;
}

/* A clean exit is no crash, but no answer either. */
static void verdict_of_exit(const struct obituary *d, const struct verdict_circumstances *c,
                            struct tool_outcome *o)
{
        char words[OBITUARY_SENTENCE_SIZE];

        if (d->exit_code == EXIT_CHANNEL_LOST) {
                snprintf(words, sizeof words,
                         "the plugin closed or replaced descriptor 3, its channel to the host "
                         "(stage=%s). A plugin closes what it has opened, and nothing else.",
                         c->stage);
                fail_with_tail(o, PLUGIN_ERROR_PROTOCOL, words, c);
                return;
        }
        if (d->exit_code == EXIT_INTERRUPTED) {
                snprintf(words, sizeof words,
                         "Plugin crashed: what a timer, a signal handler or a thread of it raised "
                         "hit the runtime between two calls (stage=%s).",
                         c->stage);
                fail_with_tail(o, PLUGIN_ERROR_CRASHED, words, c);
                return;
        }
        if (!strcmp(c->stage, "load")) {
                snprintf(words, sizeof words,
                         "ImportError: the plugin exited with code %d while being loaded "
                         "(stage=load).",
                         d->exit_code);
                fail_with_tail(o, PLUGIN_ERROR_IMPORT, words, c);
                return;
        }
        if (d->pids_limit) {
                snprintf(words, sizeof words,
                         "Plugin hit its process limit and exited with code %d (stage=%s).",
                         d->exit_code, c->stage);
                fail_with_tail(o, PLUGIN_ERROR_RESOURCE_LIMIT, words, c);
                return;
        }
        snprintf(words, sizeof words,
                 "Plugin crashed: exited %d without reply (stage=%s). Something in it called "
                 "exit() or _exit().",
                 d->exit_code, c->stage);
        fail_with_tail(o, PLUGIN_ERROR_CRASHED, words, c);
}

/* The watch has counted its threads, and killed it for them. */
static void verdict_of_crowd(const struct obituary *d, const struct verdict_circumstances *c,
                             struct tool_outcome *o)
{
        char words[OBITUARY_SENTENCE_SIZE];

        snprintf(words, sizeof words,
                 "Plugin was killed for having more threads than it may (stage=%s).", c->stage);
        fail_with_tail(o, PLUGIN_ERROR_RESOURCE_LIMIT, words, c);
        o->signal = d->signal;
}

void verdict_of_death(const struct obituary *d, const struct verdict_circumstances *c,
                      struct tool_outcome *o)
{
        char sentence[OBITUARY_SENTENCE_SIZE], words[OBITUARY_SENTENCE_SIZE + 64];

        obituary_sentence(d, sentence);
        switch (d->cause) {
        case OBITUARY_SETUP:
                tool_outcome_fail(o, PLUGIN_ERROR_ISOLATION_UNAVAILABLE,
                                  "the sandbox could not be built: %s", d->setup);
                return;
        case OBITUARY_MEMORY:
                verdict_of_memory(c, o);
                return;
        case OBITUARY_SYSCALL:
                snprintf(words, sizeof words,
                         "Plugin was killed for a system call that its sandbox forbids (signal 31, "
                         "SIGSYS, stage=%s).",
                         c->stage);
                fail_with_tail(o, PLUGIN_ERROR_SANDBOX_VIOLATION, words, c);
                o->signal = SIGSYS;
                return;
        case OBITUARY_EXITED:
                verdict_of_exit(d, c, o);
                return;
        case OBITUARY_KILLED:
        case OBITUARY_SIGNAL:
                if (d->cause == OBITUARY_KILLED && d->pids_limit) {
                        verdict_of_crowd(d, c, o);
                        return;
                }
                snprintf(words, sizeof words, "Plugin crashed: %s (stage=%s).", sentence, c->stage);
                fail_with_tail(o, PLUGIN_ERROR_CRASHED, words, c);
                o->signal = d->signal;
                return;
        }
}

static enum plugin_error error_of_stage(uint8_t kind, const char *stage)
{
        if (kind == WIRE_ERROR_ABI)
                return PLUGIN_ERROR_ABI_MISMATCH;
        if (!strcmp(stage, "load"))
                return PLUGIN_ERROR_IMPORT;
        if (!strcmp(stage, "init"))
                return PLUGIN_ERROR_INIT;
        if (!strcmp(stage, "validate"))
                return PLUGIN_ERROR_VALIDATION;
        if (!strcmp(stage, "check"))
                return PLUGIN_ERROR_INTERNAL;
        return kind == WIRE_ERROR_DECLARED ? PLUGIN_ERROR_DECLARED : PLUGIN_ERROR_EXCEPTION;
}

static bool is_type_name(const struct wire_str *s)
{
        if (s->len == 0 || s->len > 64)
                return false;
        for (uint32_t i = 0; i < s->len; i++) {
                char c = s->p[i];
                bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

                if (!letter && !(i > 0 && ((c >= '0' && c <= '9') || c == '_' || c == '.')))
                        return false;
        }
        return true;
}

/* " (plugin.py line 9, in go)": the traceback goes to the client, and this into the reason. */
static void keep_place(const char *trace, const char *plugin_dir, struct tool_outcome *o)
{
        scoped(str) struct str text = {0};
        struct python_place place;

        if (!plugin_dir || !python_stack_place_of_traceback(trace, plugin_dir, &place))
                return;
        python_stack_add_place(&text, &place, NULL);
        o->place = str_take(&text);
}

/* Its class is called as what only the host finds out: the name goes into the words. */
static void tell_its_name(struct tool_outcome *o)
{
        scoped(str) struct str words = {0};

        if (o->words)
                str_addf(&words, "%s: %s", o->type, o->words);
        o->type[0] = '\0';
        if (!words.len)
                return;
        free(o->words);
        o->words = str_take(&words);
}

void verdict_of_error(const struct wire_error *m, const char *stage, const char *plugin_dir,
                      struct tool_outcome *o)
{
        scoped(str) struct str text = {0}, trace = {0};
        enum plugin_error error = error_of_stage(m->kind, stage);

        str_add_printable(&text, m->text.p, m->text.len, TEXT_MAX);
        str_add_printable(&trace, m->traceback.p, m->traceback.len, TRACEBACK_MAX);
        /* Half of the words would pass for the plugin's own: then none, as without memory for all.
         */
        if (text.bad)
                o->error = error;
        else
                tool_outcome_fail(o, error, "%s",
                                  text.len ? text.data : "the plugin gave no reason");
        if (trace.len > 0 && !trace.bad && error == PLUGIN_ERROR_EXCEPTION)
                keep_place(trace.data, plugin_dir, o);
        if (trace.len > 0)
                o->traceback = str_take(&trace);
        /* Only a call's own error carries the plugin's name for it. */
        if ((error == PLUGIN_ERROR_DECLARED || error == PLUGIN_ERROR_EXCEPTION) &&
            is_type_name(&m->type))
                snprintf(o->type, sizeof o->type, "%.*s", (int)m->type.len, m->type.p);
        /* An exception of Python's own may be called TimeoutError; what a plugin chooses freely may
         * not. */
        if (error == PLUGIN_ERROR_DECLARED && plugin_error_is_reserved(o->type))
                o->type[0] = '\0';
        if (error == PLUGIN_ERROR_EXCEPTION && plugin_error_is_finding(o->type))
                tell_its_name(o);
}
