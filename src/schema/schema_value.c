#include "schema/schema_value.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TWO_TO_63 9223372036854775808.0

static int sign_of(bool greater, bool less)
{
        return (int)greater - (int)less;
}

/* Exact: the integral part of y is compared as an integer, what is behind the point decides a tie.
 */
static int compare_integer_real(json_int_t x, double y)
{
        double whole;
        json_int_t integer;

        if (y >= TWO_TO_63)
                return -1;
        if (y < -TWO_TO_63)
                return 1;
        whole = floor(y);
        integer = (json_int_t)whole;
        if (x != integer)
                return sign_of(x > integer, x < integer);
        return y > whole ? -1 : 0;
}

int schema_number_compare(const json_t *x, const json_t *y)
{
        if (json_is_integer(x) && json_is_integer(y)) {
                json_int_t a = json_integer_value(x), b = json_integer_value(y);

                return sign_of(a > b, a < b);
        }
        if (json_is_integer(x))
                return compare_integer_real(json_integer_value(x), json_real_value(y));
        if (json_is_integer(y))
                return -compare_integer_real(json_integer_value(y), json_real_value(x));
        double a = json_real_value(x), b = json_real_value(y);

        return sign_of(a > b, a < b);
}

bool schema_number_is_integer(const json_t *number)
{
        double value;

        if (json_is_integer(number))
                return true;
        if (!json_is_real(number))
                return false;
        value = json_real_value(number);
        return isfinite(value) && floor(value) == value;
}

/* --- multipleOf: exact decimal arithmetic --- */

/* digits * 10^exponent, without a sign: multiples don't care. */
struct decimal {
        uint64_t digits;
        int exponent;
};

/* The shortest decimal that reads back as `value`. Only the digits and the exponent are taken from
 * the text, so the locale's decimal point does not matter. */
static struct decimal decimal_of_real(double value)
{
        struct decimal d = {0, 0};
        char text[48];

        /* 15 digits are always exact, but for numbers so small that they have fewer. */
        for (int precision = value < DBL_MIN ? 0 : 14; precision <= 16; precision++) {
                snprintf(text, sizeof text, "%.*e", precision, value);
                if (precision == 16 || strtod(text, NULL) == value) {
                        d.exponent = -precision;
                        break;
                }
        }
        for (const char *at = text; *at && *at != 'e'; at++)
                if (*at >= '0' && *at <= '9')
                        d.digits = d.digits * 10 + (uint64_t)(*at - '0');
        d.exponent += atoi(strchr(text, 'e') + 1);
        return d;
}

static struct decimal decimal_of(const json_t *number)
{
        if (json_is_integer(number)) {
                json_int_t value = json_integer_value(number);

                return (struct decimal){value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 0};
        }
        return decimal_of_real(fabs(json_real_value(number)));
}

static uint64_t multiply_modulo(uint64_t x, uint64_t y, uint64_t modulus)
{
        return (uint64_t)((unsigned __int128)x * y % modulus);
}

/* digits * 10^power modulo `modulus`; power is at most some 700. */
static uint64_t scaled_modulo(uint64_t digits, int power, uint64_t modulus)
{
        uint64_t left = digits % modulus;

        for (; power > 0 && left; power--)
                left = multiply_modulo(left, 10, modulus);
        return left;
}

bool schema_number_is_multiple(const json_t *number, const json_t *unit)
{
        struct decimal n, u;

        if (json_is_real(number) && !isfinite(json_real_value(number)))
                return false;
        n = decimal_of(number);
        u = decimal_of(unit);
        if (n.digits == 0)
                return true;
        if (u.digits == 0)
                return false;
        for (; n.exponent < u.exponent; n.exponent++) {
                if (n.digits % 10)
                        break;
                n.digits /= 10;
        }
        /* The unit's trailing zeros are worth as much as its exponent. */
        for (; n.exponent < u.exponent && u.digits <= UINT64_MAX / 10; u.exponent--)
                u.digits *= 10;
        if (n.exponent < u.exponent)
                return false;
        return scaled_modulo(n.digits, n.exponent - u.exponent, u.digits) == 0;
}

/* --- equality and hashes --- */

static int equal_at(struct schema_budget *b, const json_t *x, const json_t *y, int depth);

static int strings_equal(struct schema_budget *b, const json_t *x, const json_t *y)
{
        size_t n = json_string_length(x);

        if (n != json_string_length(y))
                return 0;
        if (schema_spend_bytes(b, n) < 0)
                return -E2BIG;
        return memcmp(json_string_value(x), json_string_value(y), n) == 0;
}

static int arrays_equal(struct schema_budget *b, const json_t *x, const json_t *y, int depth)
{
        size_t n = json_array_size(x);
        int r = n == json_array_size(y);

        for (size_t i = 0; i < n && r > 0; i++)
                r = equal_at(b, json_array_get(x, i), json_array_get(y, i), depth);
        return r;
}

static int objects_equal(struct schema_budget *b, const json_t *x, const json_t *y, int depth)
{
        int r = json_object_size(x) == json_object_size(y);
        const char *key;
        size_t key_len;
        json_t *member;

        if (r == 0)
                return 0;
        json_object_keylen_foreach((json_t *)x, key, key_len, member)
        {
                const json_t *other;

                if (schema_spend_bytes(b, key_len) < 0)
                        return -E2BIG;
                other = json_object_getn(y, key, key_len);
                r = other ? equal_at(b, member, other, depth) : 0;
                if (r <= 0)
                        return r;
        }
        return 1;
}

static int equal_at(struct schema_budget *b, const json_t *x, const json_t *y, int depth)
{
        if (depth >= SCHEMA_VALUE_DEPTH || schema_spend(b, SCHEMA_STEP) < 0)
                return -E2BIG;
        if (json_is_number(x) && json_is_number(y))
                return schema_number_compare(x, y) == 0;
        if (json_typeof(x) != json_typeof(y))
                return 0;
        if (json_is_string(x))
                return strings_equal(b, x, y);
        if (json_is_array(x))
                return arrays_equal(b, x, y, depth + 1);
        if (json_is_object(x))
                return objects_equal(b, x, y, depth + 1);
        return 1;
}

int schema_value_equal(struct schema_budget *b, const json_t *x, const json_t *y)
{
        return equal_at(b, x, y, 0);
}

static uint64_t mix(uint64_t hash, uint64_t more)
{
        hash = (hash ^ more) * 0x9e3779b97f4a7c15ull;
        return hash ^ (hash >> 29);
}

static uint64_t hash_text(uint64_t hash, const char *text, size_t n)
{
        for (size_t i = 0; i < n; i++)
                hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ull;
        return mix(hash, n);
}

static uint64_t hash_number(const json_t *number)
{
        double real = json_real_value(number);
        uint64_t bits;

        if (json_is_integer(number))
                return mix(1, (uint64_t)json_integer_value(number));
        if (floor(real) == real && real >= -TWO_TO_63 && real < TWO_TO_63)
                return mix(1, (uint64_t)(json_int_t)real);
        memcpy(&bits, &real, sizeof bits);
        return mix(2, bits);
}

static int hash_at(struct schema_budget *b, const json_t *value, uint64_t *ret, int depth);

/* Members come in any order, so theirs are summed. */
static int hash_members(struct schema_budget *b, const json_t *object, uint64_t *ret, int depth)
{
        uint64_t sum = 4;
        const char *key;
        size_t key_len;
        json_t *member;

        json_object_keylen_foreach((json_t *)object, key, key_len, member)
        {
                uint64_t hash;

                if (schema_spend_bytes(b, key_len) < 0)
                        return -E2BIG;
                if (hash_at(b, member, &hash, depth) < 0)
                        return -E2BIG;
                sum += mix(hash_text(5, key, key_len), hash);
        }
        *ret = sum;
        return 0;
}

static int hash_items(struct schema_budget *b, const json_t *array, uint64_t *ret, int depth)
{
        uint64_t hash = 6;

        for (size_t i = 0; i < json_array_size(array); i++) {
                uint64_t item;

                if (hash_at(b, json_array_get(array, i), &item, depth) < 0)
                        return -E2BIG;
                hash = mix(hash, item);
        }
        *ret = hash;
        return 0;
}

static int hash_at(struct schema_budget *b, const json_t *value, uint64_t *ret, int depth)
{
        if (depth >= SCHEMA_VALUE_DEPTH || schema_spend(b, SCHEMA_STEP) < 0)
                return -E2BIG;
        if (json_is_object(value))
                return hash_members(b, value, ret, depth + 1);
        if (json_is_array(value))
                return hash_items(b, value, ret, depth + 1);
        if (json_is_number(value)) {
                *ret = hash_number(value);
                return 0;
        }
        if (json_is_string(value)) {
                size_t n = json_string_length(value);

                *ret = hash_text(3, json_string_value(value), n);
                return schema_spend_bytes(b, n);
        }
        *ret = mix(70, json_typeof(value));
        return 0;
}

int schema_value_hash(struct schema_budget *b, const json_t *value, uint64_t *ret)
{
        return hash_at(b, value, ret, 0);
}

size_t schema_text_length(const char *text, size_t n)
{
        size_t count = 0;

        for (size_t i = 0; i < n; i++)
                count += ((unsigned char)text[i] & 0xc0) != 0x80;
        return count;
}
