/* health_fixture.h -- plugins in every state, and a source over them for the router. */
#ifndef FORGESYTE_TESTS_HEALTH_FIXTURE_H
#define FORGESYTE_TESTS_HEALTH_FIXTURE_H

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/macro.h"
#include "base/mem.h"
#include "health/health_router.h"

#define FIXTURE_NOW (100 * NSEC_PER_SEC)

struct fixture {
        struct plugin_health list[8];
        size_t n;
        int fail; /* what the source returns instead, when not 0 */
};

static inline struct plugin_health *fixture_add(struct fixture *f, const char *name,
                                                enum lifecycle_state state)
{
        struct plugin_health *h = &f->list[f->n++];

        *h = (struct plugin_health){.state = state, .generation = 1, .last_execution_ms = -1};
        strncpy(h->name, name, sizeof h->name - 1);
        return h;
}

static inline int fixture_get(void *ctx, const char *name, struct plugin_health *ret)
{
        struct fixture *f = ctx;

        for (size_t i = 0; i < f->n; i++)
                if (strcmp(f->list[i].name, name) == 0) {
                        *ret = f->list[i];
                        return 0;
                }
        return 1;
}

static inline int fixture_list(void *ctx, struct plugin_health **ret, size_t *ret_n)
{
        struct fixture *f = ctx;

        if (f->fail)
                return f->fail;
        *ret = malloc(MAX_OF(f->n, 1) * sizeof **ret);
        if (!*ret)
                return -ENOMEM;
        memcpy(*ret, f->list, f->n * sizeof **ret);
        *ret_n = f->n;
        return 0;
}

/* Asks the router; the body as compact text (free() it), NULL when there is none. -1: no such
 * route. */
static inline int fixture_ask(struct fixture *f, const struct health_host *host, const char *path,
                              bool verbose, char **ret_body)
{
        struct health_source source = {f, fixture_get, fixture_list};
        struct health_answer answer = {0};

        *ret_body = NULL;
        if (health_router_answer(path, verbose, &source, host, &answer) != 0)
                return -1;
        if (answer.body)
                *ret_body = json_dumps(answer.body, JSON_COMPACT);
        json_decref(answer.body);
        return (int)answer.status;
}

#endif
