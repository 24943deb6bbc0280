#include "worker/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* base/json.h has the same for the host, but brings jansson along. */
void json_text_add_string(struct str *to, const char *text, size_t n)
{
        size_t run = 0;

        str_addc(to, '"');
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)text[i];

                if (c >= 0x20 && c != '"' && c != '\\')
                        continue;
                str_add(to, text + run, i - run);
                run = i + 1;
                if (c == '"' || c == '\\')
                        str_addf(to, "\\%c", c);
                else
                        str_addf(to, "\\u%04x", c);
        }
        str_add(to, text + run, n - run);
        str_addc(to, '"');
}

void json_text_add_number(struct str *to, double value)
{
        char text[64];
        bool in_point = false;

        for (int digits = 15; digits <= 17; digits++) {
                snprintf(text, sizeof text, "%.*g", digits, value);
                if (strtod(text, NULL) == value)
                        break;
        }
        /* The plugin may have called setlocale(): whatever stands for the decimal point, of however
         * many bytes, is the only thing here that is no digit, sign or exponent. */
        for (const char *p = text; *p; p++) {
                bool ours = strchr("0123456789+-e", *p);

                if (ours)
                        str_addc(to, *p);
                else if (!in_point)
                        str_addc(to, '.');
                in_point = !ours;
        }
}
