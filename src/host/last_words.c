#include "host/last_words.h"

#include <string.h>

#include "host/python_stack.h"

#define DUMP    "Fatal Python error: "
#define CURRENT "Current thread "

static const char *next_line(const char *line)
{
        const char *end = strchr(line, '\n');

        return end ? end + 1 : NULL;
}

static bool begins(const char *line, const char *with)
{
        return !strncmp(line, with, strlen(with));
}

/* The last dump in the text; NULL: there is none. */
static const char *find_dump(const char *text)
{
        const char *found = NULL;

        for (; text; text = next_line(text))
                if (begins(text, DUMP))
                        found = text;
        return found;
}

static bool names_its_thread(const char *dump)
{
        for (; dump; dump = next_line(dump))
                if (begins(dump, CURRENT))
                        return true;
        return false;
}

/* From the dump's first line on, without our frames and the threads that did not crash. */
static void add_dump(struct str *to, const char *dump, size_t max)
{
        bool skipping = false, several = names_its_thread(dump);
        size_t start = to->len;

        for (const char *line = dump; line; line = next_line(line)) {
                size_t n = strcspn(line, "\n");

                if (several && begins(line, "Thread 0x"))
                        skipping = true;
                else if (begins(line, CURRENT))
                        skipping = false;
                if (skipping || n == 0 || python_stack_is_ours(line, n))
                        continue;
                if (to->len - start + n + 1 > max)
                        return;
                if (to->len > start)
                        str_addc(to, '\n');
                str_add(to, line, n);
        }
}

/* From the next line on, or at least from the next character. */
static void add_end(struct str *to, const char *text, size_t max)
{
        size_t n = strlen(text);

        if (n > max) {
                const char *line;

                text += n - max;
                line = strchr(text, '\n');
                if (line && line[1])
                        text = line + 1;
                else
                        while (((unsigned char)*text & 0xc0) == 0x80)
                                text++;
        }
        str_adds(to, text);
}

void last_words_add(struct str *to, const char *text, size_t max)
{
        const char *dump = find_dump(text);

        if (dump)
                add_dump(to, dump, max);
        else
                add_end(to, text, max);
}
