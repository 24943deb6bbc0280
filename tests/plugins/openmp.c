/* openmp.c -- sums in as many threads as there are processors: a library that makes threads of its
 * own, asks for their number and binds them. */
#include <omp.h>
#include <stdio.h>

#include "forgesyte/plugin.h"

static int run_sum(void *state, struct forge_call *call)
{
        long sum = 0;
        int threads = 0;
        char json[96];

        (void)state;
#pragma omp parallel for num_threads(4) reduction(+ : sum)
        for (long i = 1; i <= 1000000; i++)
                sum += i;
#pragma omp parallel num_threads(4)
#pragma omp atomic
        threads++;
        return forge_call_result_json(
            call, json,
            (size_t)snprintf(json, sizeof json, "{\"sum\":%ld,\"threads\":%d}", sum, threads));
}

static int validate(void *state)
{
        (void)state;
        return 0;
}

static const struct forge_tool tools[] = {FORGE_TOOL("sum", run_sum)};

FORGE_PLUGIN(.validate = validate, .tools = tools, .n_tools = 1);
