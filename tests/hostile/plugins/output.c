/* output.c -- the rows O01 to O07 of docs/HOSTILE.md: answers that are none.
 * Threads: one.            Owns: nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "forge.h"
#include "hostile.h"

static int digit(char c)
{
        return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* The result's text, byte by byte as the hexadecimal argument says. */
HOSTILE_TOOL(raw)
{
        const char *hex = forge_call_string(call, "hex", "");
        size_t n = strlen(hex) / 2;
        char *text = malloc(n + 1);
        int r;

        if (!text)
                return -1;
        for (size_t i = 0; i < n; i++)
                text[i] = (char)(digit(hex[2 * i]) * 16 + digit(hex[2 * i + 1]));
        r = forge_call_result_json(call, text, n);
        free(text);
        (void)r; /* it goes on as if nothing had been said */
        return 0;
}

/* The same, past the SDK: a frame of its own. */
HOSTILE_TOOL(raw_frame)
{
        const char *hex = forge_call_string(call, "hex", "");
        uint32_t n = (uint32_t)strlen(hex) / 2;
        unsigned char *payload = calloc(1, n + 6);
        struct forge_frame f;

        if (!payload || forge_learn(&f, FRAME_RESULT) != 0)
                return -1;
        memcpy(payload, &n, 4);
        for (uint32_t i = 0; i < n; i++)
                payload[4 + i] = (unsigned char)(digit(hex[2 * i]) * 16 + digit(hex[2 * i + 1]));
        forge_send(&f, payload, n + 6);
        usleep(500000); /* it goes when that has been judged, and says nothing more */
        _exit(0);
}

HOSTILE_TOOL(deep)
{
        int64_t depth = forge_call_int(call, "depth", 100000);
        char *text = malloc((size_t)depth * 2 + 1);

        if (!text)
                return -1;
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        forge_call_result_json(call, text, (size_t)depth * 2);
        free(text);
        return 0;
}

HOSTILE_TOOL(large)
{
        size_t size = (size_t)forge_call_int(call, "mb", 64) << 20;
        char *text = malloc(size + 1);

        if (!text)
                return -1;
        memset(text, 'x', size);
        text[size] = '\0';
        forge_call_result_string(call, "text", text);
        free(text);
        return 0;
}

/* 10 GB of frames, as far as anybody takes them. */
HOSTILE_TOOL(endless)
{
        static char block[1 << 20];
        struct forge_frame f;

        if (forge_learn(&f, FRAME_RESULT) != 0)
                return -1;
        f.len = 32 << 20;
        for (int i = 0; i < 320; i++) {
                unsigned char header[FORGE_HEADER];

                forge_encode(&f, header);
                f.seq++;
                forge_write(header, sizeof(header));
                for (int mb = 0; mb < 32; mb++)
                        if (forge_write(block, sizeof(block)) != 0)
                                return -1;
        }
        return 0;
}

HOSTILE_TOOL(words)
{
        static char text[10 << 20];

        for (size_t i = 0; i + 16 < sizeof(text); i += 16)
                memcpy(text + i, "%n%s\033[31m\r\n\x9b \xff.", 16);
        text[sizeof(text) - 1] = '\0';
        return forge_call_fail(call, "Wordy", "%s", text);
}

static const struct forge_tool tools[] = {
    HOSTILE_GOOD,
    FORGE_TOOL("raw", run_raw),
    FORGE_TOOL("raw_frame", run_raw_frame),
    FORGE_TOOL("deep", run_deep),
    FORGE_TOOL("large", run_large),
    FORGE_TOOL("endless", run_endless),
    FORGE_TOOL("words", run_words),
};

FORGE_PLUGIN(.tools = tools, .n_tools = sizeof(tools) / sizeof(tools[0]));
