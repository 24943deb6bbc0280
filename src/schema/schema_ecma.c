#include "schema/schema_ecma.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ECMA's white space and line ends; PCRE2's \s knows only ASCII's. */
#define SPACE                                                                                      \
        "\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"       \
        "\\x{205f}\\x{3000}\\x{feff}"
#define NOT_SPACE                                                                                  \
        "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"           \
        "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"             \
        "\\x{3001}-\\x{d7ff}\\x{e000}-\\x{fefe}\\x{ff00}-\\x{10ffff}"

/* failed: words were written to `e`; the cursor then stands at the end. */
struct ecma {
        const char *at, *end;
        struct str *out;
        struct schema_ecma_facts facts;
        struct err *e;
        bool failed;
        bool repeatable; /* may a quantifier follow? */
};

/* One character, or a set (which writes itself). */
struct atom {
        bool set;
        uint32_t point;
};

static void fail(struct ecma *p, const char *why)
{
        if (!p->failed)
                err_set(p->e, -EINVAL, "%s", why);
        p->failed = true;
        p->at = p->end;
}

static bool looking_at(const struct ecma *p, const char *text)
{
        size_t n = strlen(text);

        return (size_t)(p->end - p->at) >= n && memcmp(p->at, text, n) == 0;
}

static bool accept(struct ecma *p, const char *text)
{
        if (!looking_at(p, text))
                return false;
        p->at += strlen(text);
        return true;
}

static void add_point(struct ecma *p, uint32_t point)
{
        str_addf(p->out, "\\x{%x}", (unsigned)point);
}

/* The UTF-8 character at the cursor; jansson let only valid ones through. */
static uint32_t read_character(struct ecma *p)
{
        unsigned char lead = (unsigned char)*p->at++;
        uint32_t point = lead;

        if (lead >= 0xf0)
                point = lead & 0x07;
        else if (lead >= 0xe0)
                point = lead & 0x0f;
        else if (lead >= 0xc0)
                point = lead & 0x1f;
        while (p->at < p->end && ((unsigned char)*p->at & 0xc0) == 0x80)
                point = point << 6 | ((unsigned char)*p->at++ & 0x3f);
        return point;
}

/* Between least and most hexadecimal digits; false leaves the cursor anywhere. */
static bool read_hex(struct ecma *p, int least, int most, uint32_t *ret)
{
        uint32_t value = 0;
        int n = 0;

        for (; n < most && p->at < p->end && isxdigit((unsigned char)*p->at); n++, p->at++) {
                char digit[2] = {*p->at, '\0'};

                value = value * 16 + (uint32_t)strtoul(digit, NULL, 16);
        }
        *ret = value;
        return n >= least;
}

/* Behind "\u": HHHH, a surrogate pair HHHH\uHHHH, or {H...}. */
static uint32_t read_unicode_escape(struct ecma *p)
{
        uint32_t point, low;

        if (accept(p, "{")) {
                if (!read_hex(p, 1, 8, &point) || !accept(p, "}") || point > 0x10ffff)
                        fail(p, "\\u{...} is not a character");
                return point;
        }
        if (!read_hex(p, 4, 4, &point))
                fail(p, "\\u needs four hexadecimal digits");
        else if (point >= 0xd800 && point < 0xdc00 && accept(p, "\\u") && read_hex(p, 4, 4, &low) &&
                 low >= 0xdc00 && low < 0xe000)
                return 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        if (point >= 0xd800 && point < 0xe000)
                fail(p, "half of a surrogate pair matches nothing");
        return point;
}

/* The long names of general categories; PCRE2 knows the short ones, scripts and the binary ones. */
static const char *const categories[][2] = {
    {"Letter", "L"},
    {"Cased_Letter", "L&"},
    {"LC", "L&"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Combining_Mark", "M"},
    {"Nonspacing_Mark", "Mn"},
    {"Spacing_Mark", "Mc"},
    {"Enclosing_Mark", "Me"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Symbol", "S"},
    {"Math_Symbol", "Sm"},
    {"Currency_Symbol", "Sc"},
    {"Modifier_Symbol", "Sk"},
    {"Other_Symbol", "So"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Connector_Punctuation", "Pc"},
    {"Dash_Punctuation", "Pd"},
    {"Open_Punctuation", "Ps"},
    {"Close_Punctuation", "Pe"},
    {"Initial_Punctuation", "Pi"},
    {"Final_Punctuation", "Pf"},
    {"Other_Punctuation", "Po"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Line_Separator", "Zl"},
    {"Paragraph_Separator", "Zp"},
    {"Other", "C"},
    {"Control", "Cc"},
    {"cntrl", "Cc"},
    {"Format", "Cf"},
    {"Surrogate", "Cs"},
    {"Private_Use", "Co"},
    {"Unassigned", "Cn"},
};

static const char *category_of(const char *name)
{
        for (size_t i = 0; i < ARRAY_LEN(categories); i++)
                if (strcmp(categories[i][0], name) == 0)
                        return categories[i][1];
        return name;
}

/* Behind "\p" or "\P": {Name}, {gc=Name}, {Script=Name} or {scx=Name}. */
static void read_property(struct ecma *p, char letter)
{
        static const char *const prefixes[][2] = {
            {"General_Category=", ""}, {"gc=", ""},      {"Script_Extensions=", "scx:"},
            {"Script=", "sc:"},        {"scx=", "scx:"}, {"sc=", "sc:"},
        };
        const char *script = "";
        char name[64];
        size_t n = 0;

        if (!accept(p, "{")) {
                fail(p, "\\p needs a name in braces");
                return;
        }
        for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
                if (accept(p, prefixes[i][0])) {
                        script = prefixes[i][1];
                        break;
                }
        }
        while (p->at < p->end && n < sizeof name - 1 &&
               (isalnum((unsigned char)*p->at) || *p->at == '_'))
                name[n++] = *p->at++;
        name[n] = '\0';
        if (n == 0 || !accept(p, "}"))
                fail(p, "\\p{...} is not a Unicode property");
        else
                str_addf(p->out, "\\%c{%s%s}", letter, script, category_of(name));
}

static bool read_control_escape(char c, uint32_t *ret)
{
        static const char letters[] = "tnvfr", values[] = "\t\n\v\f\r";
        const char *found = strchr(letters, c);

        if (!found)
                return false;
        *ret = (uint32_t)values[found - letters];
        return true;
}

/* \d and its like: written at once. */
static bool read_set_escape(struct ecma *p, char c, bool in_class)
{
        if (c == 'p' || c == 'P')
                read_property(p, c);
        else if (strchr("dDwW", c))
                str_addf(p->out, "\\%c", c);
        else if (c == 's')
                str_adds(p->out, in_class ? SPACE : "[" SPACE "]");
        else if (c == 'S')
                str_adds(p->out, in_class ? NOT_SPACE : "[^" SPACE "]");
        else
                return false;
        return true;
}

/* Behind a backslash, what means one character everywhere. */
static uint32_t read_character_escape(struct ecma *p, char c)
{
        uint32_t point = 0;

        if (read_control_escape(c, &point))
                return point;
        if (c == 'u')
                return read_unicode_escape(p);
        if (c == 'x') {
                if (!read_hex(p, 2, 2, &point))
                        fail(p, "\\x needs two hexadecimal digits");
        } else if (c == 'c') {
                if (p->at < p->end && isalpha((unsigned char)*p->at))
                        return (uint32_t)*p->at++ & 31;
                fail(p, "\\c needs a letter");
        } else if (c == '0') {
                if (p->at < p->end && isdigit((unsigned char)*p->at))
                        fail(p, "octal escapes are not ECMA 262");
        } else if (ispunct((unsigned char)c) || c == ' ') {
                return (uint32_t)c;
        } else {
                fail(p, "an escape that ECMA 262 does not know");
        }
        return point;
}

/* --- [classes] --- */

static struct atom read_class_atom(struct ecma *p)
{
        struct atom atom = {false, 0};
        char c;

        if (*p->at != '\\') {
                atom.point = read_character(p);
                return atom;
        }
        if (++p->at >= p->end) {
                fail(p, "a backslash at the end");
                return atom;
        }
        c = *p->at++;
        if (c == 'b')
                atom.point = '\b';
        else if (read_set_escape(p, c, true))
                atom.set = true;
        else
                atom.point = read_character_escape(p, c);
        return atom;
}

/* One item of a class, perhaps a range. The minus of "\w-." is a minus, as everywhere but in
 * unicode mode. */
static void read_class_item(struct ecma *p)
{
        struct atom first = read_class_atom(p), last;

        if (!first.set)
                add_point(p, first.point);
        if (!looking_at(p, "-") || p->end - p->at < 2 || p->at[1] == ']')
                return;
        p->at++;
        last = read_class_atom(p);
        if (first.set || last.set) {
                str_adds(p->out, "\\-");
                if (!last.set)
                        add_point(p, last.point);
        } else if (last.point < first.point) {
                fail(p, "a range of characters that runs backwards");
        } else {
                str_addc(p->out, '-');
                add_point(p, last.point);
        }
}

static void read_class(struct ecma *p)
{
        bool negated = accept(p, "^");

        p->repeatable = true;
        if (accept(p, "]")) {
                str_adds(p->out, negated ? "[\\x{0}-\\x{10ffff}]" : "(?!)");
                return;
        }
        str_adds(p->out, negated ? "[^" : "[");
        while (p->at < p->end && *p->at != ']')
                read_class_item(p);
        if (!p->failed && !accept(p, "]"))
                fail(p, "a [ without its ]");
        str_addc(p->out, ']');
}

/* --- everything else --- */

static void read_name(struct ecma *p, const char *open)
{
        char name[33];
        size_t n = 0;

        while (p->at < p->end && n < sizeof name - 1 &&
               (*p->at == '_' || isalpha((unsigned char)*p->at) ||
                (n > 0 && isdigit((unsigned char)*p->at))))
                name[n++] = *p->at++;
        name[n] = '\0';
        if (n == 0 || !accept(p, ">"))
                fail(p, "a group's name is not a plain word of at most 32 letters");
        else
                str_addf(p->out, "%s%s>", open, name);
}

static void read_group(struct ecma *p)
{
        static const char *const kinds[] = {"?:", "?=", "?!", "?<=", "?<!"};

        p->repeatable = false;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                if (accept(p, kinds[i])) {
                        str_addf(p->out, "(%s", kinds[i]);
                        return;
                }
        }
        if (accept(p, "?<"))
                read_name(p, "(?<");
        else if (looking_at(p, "?") || looking_at(p, "*"))
                fail(p, "a group that ECMA 262 does not know");
        else
                str_addc(p->out, '(');
}

static void read_backreference(struct ecma *p, char first)
{
        unsigned number = (unsigned)(first - '0');

        while (p->at < p->end && isdigit((unsigned char)*p->at) && number < 1000)
                number = number * 10 + (unsigned)(*p->at++ - '0');
        p->facts.backreferences = true;
        str_addf(p->out, "\\g{%u}", number);
}

static void read_escape(struct ecma *p)
{
        char c;

        if (p->at >= p->end) {
                fail(p, "a backslash at the end");
                return;
        }
        c = *p->at++;
        p->repeatable = c != 'b' && c != 'B';
        if (!p->repeatable)
                str_addf(p->out, "\\%c", c);
        else if (c >= '1' && c <= '9')
                read_backreference(p, c);
        else if (c == 'k' && accept(p, "<")) {
                p->facts.backreferences = true;
                read_name(p, "\\k<");
        } else if (!read_set_escape(p, c, false))
                add_point(p, read_character_escape(p, c));
}

static size_t read_count(struct ecma *p)
{
        size_t count = 0;

        for (; p->at < p->end && isdigit((unsigned char)*p->at); p->at++)
                if (count < 1000000)
                        count = count * 10 + (size_t)(*p->at - '0');
        return count;
}

/* Behind a "{": n}, n,} or n,m}. Anything else is a brace that means itself. */
static bool read_repeat(struct ecma *p)
{
        const char *start = p->at;
        size_t least;

        if (p->at >= p->end || !isdigit((unsigned char)*p->at))
                return false;
        least = read_count(p);
        if (accept(p, ","))
                read_count(p);
        if (!accept(p, "}")) {
                p->at = start;
                return false;
        }
        str_addc(p->out, '{');
        str_add(p->out, start, (size_t)(p->at - start));
        p->facts.repeat_min = MAX_OF(p->facts.repeat_min, least);
        return true;
}

static void read_quantifier_tail(struct ecma *p)
{
        if (!p->repeatable)
                fail(p, "nothing to repeat");
        p->repeatable = false;
        if (accept(p, "?"))
                str_addc(p->out, '?');
}

static void read_literal(struct ecma *p)
{
        uint32_t point = read_character(p);

        p->repeatable = true;
        if (point < 0x80 && isalnum((int)point))
                str_addc(p->out, (char)point);
        else
                add_point(p, point);
}

static void read_term(struct ecma *p)
{
        char c = *p->at;

        if (!strchr("\\[(.*+?{|)^$", c) || c == '\0') {
                read_literal(p);
                return;
        }
        p->at++;
        if (c == '\\') {
                read_escape(p);
        } else if (c == '[') {
                read_class(p);
        } else if (c == '(') {
                read_group(p);
        } else if (c == '.') {
                str_adds(p->out, "[^\\n\\r\\x{2028}\\x{2029}]");
                p->repeatable = true;
        } else if (c == '{') {
                if (read_repeat(p))
                        read_quantifier_tail(p);
                else
                        add_point(p, '{');
        } else {
                str_addc(p->out, c);
                if (strchr("*+?", c))
                        read_quantifier_tail(p);
                else
                        p->repeatable = c == ')';
        }
}

int schema_ecma_translate(const char *pattern, size_t n, struct str *out,
                          struct schema_ecma_facts *ret, struct err *e)
{
        struct ecma p = {
            .at = pattern, .end = pattern + n, .out = out, .e = e, .facts = {1, false}};

        if (memchr(pattern, 0, n))
                fail(&p, "a NUL character");
        while (p.at < p.end && !out->bad)
                read_term(&p);
        if (p.failed)
                return -EINVAL;
        *ret = p.facts;
        return 0;
}
