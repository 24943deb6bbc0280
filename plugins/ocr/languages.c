/* languages.c -- see languages.h. A name is only ever compared with what the folder holds, so none
 * can lead out of it. */
#include "languages.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEBIAN_TESSDATA "/usr/share/tesseract-ocr/5/tessdata"
#define SUFFIX          ".traineddata"

static void add(struct languages *list, const char *prefix, const char *file)
{
        size_t length = strlen(file);
        char *name;

        if (length <= strlen(SUFFIX) || list->n == LANGUAGES_MAX)
                return;
        length -= strlen(SUFFIX);
        if (strcmp(file + length, SUFFIX) != 0)
                return;
        if (asprintf(&name, "%s%.*s", prefix, (int)length, file) > 0)
                list->names[list->n++] = name;
}

static void add_folder(struct languages *list, const char *path, const char *prefix)
{
        DIR *dir = opendir(path);
        struct dirent *entry;

        while (dir && (entry = readdir(dir)) != NULL)
                add(list, prefix, entry->d_name);
        if (dir)
                closedir(dir);
}

static int by_name(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

void languages_init(struct languages *list)
{
        const char *folder = getenv("TESSDATA_PREFIX");
        char *scripts = NULL;

        *list = (struct languages){.folder = folder && *folder ? folder : DEBIAN_TESSDATA};
        add_folder(list, list->folder, "");
        if (asprintf(&scripts, "%s/script", list->folder) > 0) {
                add_folder(list, scripts, "script/");
                free(scripts);
        }
        qsort(list->names, list->n, sizeof(list->names[0]), by_name);
}

void languages_done(struct languages *list)
{
        for (size_t i = 0; i < list->n; i++)
                free(list->names[i]);
        list->n = 0;
}

bool languages_has(const struct languages *list, const char *name, size_t length)
{
        for (size_t i = 0; i < list->n; i++) {
                if (strlen(list->names[i]) == length && memcmp(list->names[i], name, length) == 0)
                        return true;
        }
        return false;
}

void languages_print(const struct languages *list, char *buf, size_t size)
{
        size_t used = 0;

        snprintf(buf, size, "%s", "none");
        for (size_t i = 0; i < list->n && used < size; i++) {
                int n = snprintf(buf + used, size - used, "%s%s", i ? ", " : "", list->names[i]);

                used += n > 0 ? (size_t)n : 0;
        }
        if (used >= size && size > 4)
                memcpy(buf + size - 4, "...", 4);
}
