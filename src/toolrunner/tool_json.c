#include "toolrunner/tool_json.h"

#include <errno.h>
#include <string.h>

/* What jansson and malloc take on a 64-bit machine, rounded up: an empty object has a table of
 * eight buckets, an empty array room for eight. An item is a number and its place in a list that
 * doubles; a member is its entry, and its name is counted as a string like any other. */
enum cost {
        COST_OBJECT = 288,
        COST_ARRAY = 144,
        COST_ITEM = 56,
        COST_MEMBER = 80,
        COST_STRING = 96,
};

static size_t string_end(const char *text, size_t n, size_t at)
{
        while (at < n && text[at] != '"')
                at += text[at] == '\\' ? 2 : 1;
        return MIN_OF(at, n);
}

size_t tool_json_cost(const char *text, size_t n, size_t enough)
{
        size_t cost = COST_ITEM;

        for (size_t at = 0; at < n && cost < enough; at++) {
                size_t begin = at + 1;

                switch (text[at]) {
                case '{':
                        cost += COST_OBJECT;
                        break;
                case '[':
                        cost += COST_ARRAY;
                        break;
                case ',':
                        cost += COST_ITEM;
                        break;
                case ':':
                        cost += COST_MEMBER;
                        break;
                case '"':
                        at = string_end(text, n, begin);
                        cost += COST_STRING + (at - begin);
                        break;
                default: /* spaces, digits, letters, closing brackets: counted with their comma */
                        break;
                }
        }
        return cost;
}

int tool_json_parse(const char *text, size_t n, json_t **ret, struct err *e)
{
        if (tool_json_cost(text, n, TOOL_JSON_MEMORY_MAX) >= TOOL_JSON_MEMORY_MAX)
                return err_set(e, -EBADMSG,
                               "it has so many values that they would take more than %zu MiB of "
                               "memory; send them as bytes",
                               (size_t)TOOL_JSON_MEMORY_MAX >> 20);
        return json_parse(text, n, ret, e);
}
