/* http_chunks.c -- one state per place in the grammar, one byte at a time but for the data. */
#include "http/http_chunks.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "http/http_param.h"

enum state {
        SIZE, /* the digits, and behind them ';' or CR */
        EXTENSION,
        SIZE_LF,
        DATA,
        DATA_CR,
        DATA_LF,
        TRAILER, /* a trailer's line, or the empty one */
        TRAILER_LF,
        END_LF,
        ENDED,
};

#define DIGITS_MAX 16

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_text(char c)
{
        return ((unsigned char)c >= ' ' && c != 0x7f) || c == '\t';
}

static const char *on_size(struct http_chunks *c, char byte)
{
        int digit = hex_digit(byte);

        if (digit >= 0) {
                if (c->digits == DIGITS_MAX)
                        return "a chunk's size has more than 16 digits";
                c->digits++;
                c->left = c->left << 4 | (uint64_t)digit;
                return NULL;
        }
        if (c->digits == 0 || (byte != ';' && byte != '\r'))
                return "a chunk's size is malformed";
        c->state = byte == ';' ? EXTENSION : SIZE_LF;
        return NULL;
}

static const char *on_extension(struct http_chunks *c, char byte)
{
        if (byte == '\r')
                c->state = SIZE_LF;
        else if (!is_text(byte))
                return "a chunk's extension holds a control character";
        return NULL;
}

/* Fields that would say where the request ends, or who asks and of whom, come too late here. */
static bool is_forbidden(const struct http_chunks *c)
{
        static const char *const names[] = {
            "Content-Length", "Transfer-Encoding", "Host",   "Content-Encoding",
            "Content-Type",   "Authorization",     "Origin", "Expect",
            "Connection"};

        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (strlen(names[i]) == c->name_len &&
                    strncasecmp(names[i], c->name, c->name_len) == 0)
                        return true;
        return false;
}

static const char *on_trailer(struct http_chunks *c, char byte)
{
        if (++c->trailers > HTTP_TRAILER_MAX)
                return "the trailers are longer than 4 KiB";
        if (byte == '\r' && c->line == 0) {
                c->state = END_LF;
        } else if (byte == '\r') {
                c->state = TRAILER_LF;
                return c->has_colon ? NULL : "a trailer has no colon";
        } else if (c->has_colon) {
                return is_text(byte) ? NULL : "a trailer holds a control character";
        } else if (byte == ':') {
                c->has_colon = true;
                if (c->name_len == 0 || is_forbidden(c))
                        return "a trailer has a name that trailers may not have";
        } else if (!http_param_is_token_char(byte)) {
                return "a trailer's name is malformed";
        } else {
                if (c->name_len < HTTP_TRAILER_NAME)
                        c->name[c->name_len] = byte;
                /* One longer than any that is looked for is none of them. */
                c->name_len = MIN_OF(c->name_len + 1, HTTP_TRAILER_NAME + 1u);
                c->line = 1;
        }
        return NULL;
}

static const char *on_line_feed(struct http_chunks *c, char byte)
{
        if (byte != '\n')
                return "a line between the chunks ends in a bare CR";
        switch ((enum state)c->state) {
        case SIZE_LF:
                c->state = c->left ? DATA : TRAILER;
                break;
        case DATA_LF:
                c->state = SIZE;
                break;
        case TRAILER_LF:
                c->state = TRAILER;
                break;
        case END_LF:
                c->state = ENDED;
                break;
        case SIZE:
        case EXTENSION:
        case DATA:
        case DATA_CR:
        case TRAILER:
        case ENDED:
                break;
        }
        c->digits = c->line = c->name_len = 0;
        c->has_colon = false;
        return NULL;
}

static const char *on_byte(struct http_chunks *c, char byte)
{
        switch ((enum state)c->state) {
        case SIZE:
        case EXTENSION:
                if (++c->line > HTTP_CHUNK_LINE_MAX)
                        return "a chunk's first line is longer than 256 bytes";
                return c->state == SIZE ? on_size(c, byte) : on_extension(c, byte);
        case DATA_CR:
                c->state = DATA_LF;
                return byte == '\r' ? NULL : "a chunk does not end where its size says";
        case TRAILER:
                return on_trailer(c, byte);
        case SIZE_LF:
        case DATA_LF:
        case TRAILER_LF:
        case END_LF:
                return on_line_feed(c, byte);
        case DATA:
        case ENDED:
                break;
        }
        return NULL;
}

int http_chunks_step(struct http_chunks *c, const char *in, size_t n, struct http_piece *ret,
                     const char **ret_words)
{
        struct http_piece piece = {0};
        const char *wrong;

        for (; piece.used < n && c->state != DATA && c->state != ENDED; piece.used++) {
                wrong = on_byte(c, in[piece.used]);
                if (wrong) {
                        *ret_words = wrong;
                        return -EBADMSG;
                }
        }
        if (c->state == DATA && piece.used < n) {
                piece.data = in + piece.used;
                piece.len = (size_t)MIN_OF((uint64_t)(n - piece.used), c->left);
                piece.used += piece.len;
                c->left -= piece.len;
                if (c->left == 0)
                        c->state = DATA_CR;
        }
        piece.ended = c->state == ENDED;
        *ret = piece;
        return 0;
}
