#include "worker/worker_fault.h"

#include <stdio.h>
#include <string.h>

void worker_fault_vset(struct worker_fault *f, enum wire_error_kind kind, const char *type,
                       const char *fmt, va_list ap)
{
        f->kind = kind;
        snprintf(f->type, sizeof f->type, "%s", type);
        vsnprintf(f->text, sizeof f->text, fmt, ap);
}

void worker_fault_set(struct worker_fault *f, enum wire_error_kind kind, const char *type,
                      const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        worker_fault_vset(f, kind, type, fmt, ap);
        va_end(ap);
}

void worker_fault_encode(struct str *to, const struct worker_fault *f)
{
        scoped(str) struct str text = {0};

        str_add_printable(&text, f->text, strlen(f->text), WORKER_FAULT_TEXT_MAX);
        wire_encode_error(to, &(struct wire_error){
                                  .kind = (uint8_t)f->kind,
                                  .type = wire_str_of(f->type),
                                  .text = {text.data ? text.data : "", (uint32_t)text.len},
                                  .traceback = wire_str_of(NULL),
                              });
}
