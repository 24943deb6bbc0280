#include "host/unit_prefork.h"

#include <stdio.h>
#include <string.h>

#include "host/unit_private.h"

static void show(struct unit *u, enum unit_prefork_state state, const char *reason)
{
        char text[HEALTH_PREFORK_SIZE] = "";

        u->prefork.state = state;
        if (state == UNIT_PREFORK_ACTIVE)
                snprintf(text, sizeof text, "active");
        else if (state == UNIT_PREFORK_REFUSED)
                snprintf(text, sizeof text, "refused: %.*s", (int)sizeof text - 16, reason);
        /* 1: the entry is gone, and nobody looks. */
        if (plugin_registry_set_prefork(u->s->registry, u->name, text) < 0)
                log_write(u->s->o.log, LOG_LEVEL_ERROR, "plugin %s: out of memory", u->name);
}

void unit_prefork_begin(struct unit *u)
{
        bool asked = u->release && u->release->manifest->prefork;

        u->prefork = (struct unit_prefork){0};
        show(u, asked ? UNIT_PREFORK_WANTED : UNIT_PREFORK_OFF, "");
}

void unit_prefork_end(struct unit *u)
{
        u->prefork.template = NULL;
        u->prefork.wanted = 0;
}

static bool is_on(const struct unit *u)
{
        return u->prefork.state == UNIT_PREFORK_WANTED || u->prefork.state == UNIT_PREFORK_ACTIVE;
}

void unit_prefork_started(struct unit *u, struct instance *i)
{
        if (is_on(u) && !u->prefork.template)
                u->prefork.template = i;
        if (u->prefork.template == i)
                u->prefork.wanted++; /* the one for which it is started */
}

/* The template is none any more, or one for those that it has only. */
static void refuse(struct unit *u, const char *why)
{
        log_write(u->s->o.log, LOG_LEVEL_WARNING,
                  "plugin %s: prefork is refused: %s; its instances are started one by one",
                  u->name, why);
        show(u, UNIT_PREFORK_REFUSED, why);
        u->prefork.template = NULL;
}

/* 0; 1: refused, with words; -errno: not this time. */
static int fork_next(struct unit *u, struct err *e)
{
        struct instance *t = u->prefork.template;

        if (!t || t->state != INSTANCE_TEMPLATE || t->fork.unborn || u->prefork.wanted == 0)
                return 0;
        return instance_fork(t, u->s->o.pool, e);
}

/* What it forked lives on; without any it becomes an instance itself. */
static void on_refusal(struct unit *u, struct instance *t, const char *why)
{
        unsigned n = u->prefork.wanted;

        u->prefork.wanted = 0;
        refuse(u, why);
        if (!instance_has_copies(t)) {
                instance_make_template(t, false);
                unit_request(u, t, WIRE_INIT);
                n--;
        }
        unit_start_instances(u, n);
}

bool unit_prefork_loaded(struct unit *u, struct instance *i)
{
        struct err e = {0};
        int r;

        if (!is_on(u) || u->prefork.template != i)
                return false;
        instance_make_template(i, true);
        r = fork_next(u, &e);
        if (r != 0)
                on_refusal(u, i, e.msg);
        return true;
}

bool unit_prefork_another(struct unit *u)
{
        struct instance *t = u->prefork.template;
        struct err e = {0};

        /* Without a template, what is started now will be it. */
        if (!is_on(u) || !t)
                return false;
        u->prefork.wanted++;
        if (fork_next(u, &e) != 0)
                on_refusal(u, t, e.msg);
        return true;
}

void unit_prefork_forked(struct instance *t, struct instance *copy, const char *refusal)
{
        struct unit *u = t->ctx;
        bool wanted = u->prefork.template == t && u->prefork.wanted > 0;
        struct err e = {0};

        if (copy)
                TAILQ_INSERT_TAIL(&u->instances, copy, link);
        if (!wanted) {
                if (copy)
                        instance_leave(copy);
                unit_prefork_gone(u, t);
                return;
        }
        if (!copy) {
                on_refusal(u, t, refusal);
                return;
        }
        u->prefork.wanted--;
        if (u->prefork.state != UNIT_PREFORK_ACTIVE)
                show(u, UNIT_PREFORK_ACTIVE, "");
        unit_request(u, copy, WIRE_INIT);
        if (fork_next(u, &e) != 0)
                on_refusal(u, t, e.msg);
}

unsigned unit_prefork_lost(struct unit *u, struct instance *i)
{
        struct instance *c;
        unsigned n = 0;

        if (i->fork.template && i->fork.template->broken)
                return 0;
        if (!i->fork.is_template && u->prefork.template != i)
                return 1;
        LIST_FOREACH(c, &i->fork.copies, fork.link)
        n += c->state != INSTANCE_DYING && c->state != INSTANCE_LEAVING;
        if (u->prefork.template == i) {
                n += u->prefork.wanted;
                unit_prefork_end(u);
        }
        return n;
}

void unit_prefork_end_copies(struct unit *u, struct instance *t, const struct tool_outcome *o)
{
        struct instance *c, *next;

        for (c = TAILQ_FIRST(&u->instances); c; c = next) {
                struct tool_outcome end = {0};

                next = TAILQ_NEXT(c, link);
                if (c->fork.template != t)
                        continue;
                tool_outcome_fail(&end, o->error,
                                  "%s That was the process of which this plugin's instances are "
                                  "forked; they ended with it.",
                                  o->words ? o->words : "");
                end.signal = o->signal;
                if (o->stderr_tail)
                        end.stderr_tail = strdup(o->stderr_tail);
                instance_break(c, &end);
        }
}

void unit_prefork_gone(struct unit *u, struct instance *t)
{
        if (t && t != u->prefork.template && !instance_has_copies(t))
                instance_leave(t);
}
