/* host.pml -- one plugin's calls, workers and generations, for the model checker Spin.
 *
 * What src/host/{call,instance,unit*}.c do, event by event, against workers that do whatever they
 * like: answer once, twice or under a false id, speak unasked, hang, die at any instant, leave a
 * writer behind on their socket. Checked in every interleaving:
 *   - a call ends exactly once, and none is forgotten;
 *   - an answer ends the call that it was written for, and no other;
 *   - the lifecycle's table has every move that is asked of it, and RUNNING means calls in flight;
 *   - nothing waits for ever: whoever is asked has a deadline, whoever is asked to stop a grace;
 *   - at the end no worker is left.
 * The environment says how far to search (LIES, LEAVERS, RELOADS: how often workers lie, clients
 * leave and the plugin is loaded anew; INSTANCES: one or two) and which mutant to be (MUTANT): check_model.py wants an
 * error for every one.
 *
 * Left out: payloads and parsing (fuzzed instead), time (a timer that is set may fire at any
 * moment), memory, the pool (a call is checked at once), templates and their forks. */

#define CALLS  2
#define SPAWNS 2 /* workers in all */
#define NONE   15

/* The mutants: each leaves out what one line of the host's does. */
#define NO_CALL_ID                     1 /* wire_parser: an answer's call id is not compared */
#define FORGET_CALL_AT_DEATH           2 /* on_broke: the call in flight is not ended */
#define OLD_WORKER_FAILS_NEW_PLUGIN    3 /* on_broke: no look at the generation */
#define CALL_TO_OLD_WORKER             4 /* find_free and after_call: the same */
#define CANCEL_WITHOUT_GRACE           5 /* instance_cancel: no timer is set */
#define FORGOTTEN_CALL_STAYS           6 /* instance_cancel: the call stays with its worker */
byte mutant;

#define ID_IS_RIGHT(i, n) (mutant == NO_CALL_ID || n == I[i].nonce)
#define ENDS_CALL         (mutant != FORGET_CALL_AT_DEATH)
#define MAY_BREAK(i)      (mutant == OLD_WORKER_FAILS_NEW_PLUGIN || I[i].gen == gen)
#define MAY_SERVE(i)      (mutant == CALL_TO_OLD_WORKER || I[i].gen == gen)
#define SETS_GRACE        (mutant != CANCEL_WITHOUT_GRACE)
#define FORGETS           (forget && mutant != FORGOTTEN_CALL_STAYS)

mtype:life = { ABSENT, LOADED, INITIALIZED, RUNNING, FAILED };
mtype:phase = { NEW, QUEUED, HANDED, ENDED };
mtype:inst = { UNBORN, BOOTING, IDLE, BUSY, CANCELLING, LEAVING, DYING, GONE };
mtype:request = { LOAD, CALL, CANCEL, SHUTDOWN };
mtype:frame = { ANSWER, REFUSAL };
mtype:event = { REGISTERED, VALIDATED, LOAD_FAILED, CALL_STARTED, CALL_ENDED, BROKE };

typedef instance {
        mtype:inst state = UNBORN;
        byte gen;
        byte nonce;
        byte call = NONE;
        bool broken, deadline, grace, killed;
}
instance I[SPAWNS];
bool dead[SPAWNS]; /* the pidfd would be readable */
chan request[SPAWNS] = [5] of { mtype:request, byte, byte };  /* nonce, call */
chan wire[SPAWNS] = [2] of { mtype:frame, byte, byte };       /* nonce, the call it is about */

mtype:life life = ABSENT;
byte in_flight, gen, spawned, gone;
bool usable, loading, keep, closing;

mtype:phase phase[CALLS] = NEW;
byte ends[CALLS], ran_in[CALLS];

byte culprit; /* a ghost: the generation of the worker that fails the plugin */

byte lies, leavers, reloads, instances; /* budgets that bound the search */

/* --- the world --- */

inline say(kind, n, about)
{
        if
        :: wire[s]!kind(n, about)
        :: I[s].killed -> goto over
        fi
}

proctype Late(byte s, n, about)
{
        /* A child of the worker's that holds the socket, also after its parent's death. */
        if
        :: I[s].state != GONE && len(wire[s]) < 2 -> wire[s]!ANSWER(n, about)
        :: skip
        fi
}

proctype Worker(byte s)
{
        mtype:request r;
        byte n, about;

        do
        :: I[s].killed -> break
        :: atomic { lies > 0 && !I[s].killed -> lies--; say(ANSWER, 0, NONE) } /* unasked */
        :: atomic { request[s]?r(n, about) ->
                if
                :: r == SHUTDOWN -> break
                :: r == CANCEL -> skip
                :: else ->
                        if
                        :: say(ANSWER, n, about)
                        :: say(REFUSAL, n, about)
                        :: lies > 0 -> lies--; say(ANSWER, n, about); say(ANSWER, n, about)
                        :: lies > 0 -> lies--; say(ANSWER, n + 1, about)
                        :: lies > 0 -> lies--; run Late(s, n, about); break
                        :: break
                        :: skip; I[s].killed; break /* it hangs until then */
                        fi
                fi;
                r = LOAD; n = 0; about = 0 }
        od;
over:
        atomic {
                r = LOAD; n = 0; about = 0;
                do
                :: request[s]?_(_, _)
                :: empty(request[s]) -> break
                od;
                dead[s] = true
        }
}

/* --- lifecycle/lifecycle_manager.c --- */

inline step(event)
{
        if
        :: event == REGISTERED -> assert(life == ABSENT); life = LOADED
        :: event == VALIDATED -> assert(life == LOADED); life = INITIALIZED
        :: event == LOAD_FAILED -> assert(life == LOADED && culprit == gen); life = FAILED
        :: event == BROKE ->
                assert((life == INITIALIZED || life == RUNNING) && culprit == gen);
                life = FAILED
        :: event == CALL_STARTED ->
                assert(life == INITIALIZED || life == RUNNING);
                in_flight++;
                life = RUNNING
        :: event == CALL_ENDED ->
                assert(in_flight > 0 && (life == RUNNING || life == FAILED));
                in_flight--;
                if
                :: life == RUNNING && in_flight == 0 -> life = INITIALIZED
                :: else
                fi
        fi
}

/* --- toolrunner/tool_runner.c --- */

inline end(c)
{
        assert(ends[c] == 0); /* exactly once */
        ends[c]++;
        if
        :: phase[c] == HANDED && ran_in[c] == gen -> step(CALL_ENDED)
        :: else
        fi;
        phase[c] = ENDED
}

inline fail_queued()
{
        q = 0;
        do
        :: q < CALLS ->
                if
                :: phase[q] == QUEUED -> end(q)
                :: else
                fi;
                q++
        :: else -> break
        od
}

/* --- host/instance*.c, host/unit*.c --- */

inline ask(i, what, c)
{
        I[i].nonce++;
        request[i]!what(I[i].nonce, c)
}

inline start_worker()
{
        /* Out of workers: the model's bound, not the host's. */
        if
        :: spawned < SPAWNS ->
                I[spawned].state = BOOTING;
                I[spawned].gen = gen;
                I[spawned].deadline = true;
                run Worker(spawned);
                ask(spawned, LOAD, NONE);
                spawned++
        :: else -> usable = false
        fi
}

inline stop_instances()
{
        w = 0;
        do
        :: w < spawned ->
                if
                :: I[w].state == BOOTING ->
                        I[w].killed = true;
                        I[w].deadline = false;
                        I[w].broken = true;
                        I[w].state = DYING
                :: I[w].state == IDLE ->
                        I[w].state = LEAVING;
                        ask(w, SHUTDOWN, NONE);
                        I[w].grace = true
                :: else
                fi;
                w++
        :: else -> break
        od
}

/* A worker's end is known, `blame`: by the plugin's fault. The rest is said once, in settle(). */
inline hurt(i, fault)
{
        I[i].deadline = false;
        I[i].grace = false;
        I[i].broken = true;
        I[i].state = DYING;
        lost = i;
        blame = fault
}

inline break_worker(i, fault)
{
        I[i].killed = true;
        hurt(i, fault)
}

/* The state first, then the client. */
inline settle()
{
        if
        :: lost != NONE ->
                victim = I[lost].call;
                I[lost].call = NONE;
                culprit = I[lost].gen;
                fails = fails || (blame && !keep);
                if
                :: !closing && MAY_BREAK(lost) && loading && blame ->
                        loading = false;
                        step(LOAD_FAILED);
                        fails = false;
                        stops = true
                :: !closing && MAY_BREAK(lost) && usable && !fails -> start_worker();
                        fails = !usable
                :: else -> fails = fails && !closing && MAY_BREAK(lost) && usable
                fi
        :: else
        fi;
        if
        :: fails -> usable = false; step(BROKE); stops = true
        :: else
        fi;
        if
        :: stops -> stop_instances()
        :: else
        fi;
        if
        :: victim != NONE && (lost == NONE || ENDS_CALL) -> end(victim)
        :: else
        fi;
        if
        :: idle != NONE && I[idle].state == IDLE && (!usable || !MAY_SERVE(idle)) ->
                I[idle].state = LEAVING;
                ask(idle, SHUTDOWN, NONE);
                I[idle].grace = true
        :: else
        fi;
        pump();
        if
        :: !usable && !loading -> fail_queued()
        :: else
        fi
}

inline pump()
{
        c2 = 0;
        do
        :: c2 < CALLS && usable ->
                w = 0;
                do
                :: w < spawned && phase[c2] == QUEUED ->
                        if
                        :: I[w].state == IDLE && MAY_SERVE(w) ->
                                assert(I[w].gen == gen);
                                phase[c2] = HANDED;
                                ran_in[c2] = gen;
                                step(CALL_STARTED);
                                I[w].state = BUSY;
                                I[w].call = c2;
                                I[w].grace = false;
                                I[w].deadline = true;
                                ask(w, CALL, c2)
                        :: else
                        fi;
                        w++
                :: else -> break
                od;
                c2++
        :: else -> break
        od
}

inline on_ready(i)
{
        if
        :: I[i].gen != gen || (!loading && !usable) ->
                I[i].killed = true;
                I[i].deadline = false;
                I[i].broken = true;
                I[i].state = DYING
        :: else ->
                I[i].state = IDLE;
                I[i].deadline = false;
                if
                :: loading ->
                        loading = false;
                        step(VALIDATED);
                        usable = true;
                        if
                        :: instances > 1 && spawned < SPAWNS -> start_worker()
                        :: else
                        fi
                :: else
                fi
        fi
}

inline on_frame(i)
{
        wire[i]?kind(n, about);
        if
        :: I[i].state == IDLE || I[i].state == LEAVING -> break_worker(i, I[i].state == IDLE)
        :: I[i].state != IDLE && I[i].state != LEAVING && !ID_IS_RIGHT(i, n) ->
                break_worker(i, true)
        :: else ->
                if
                :: I[i].state == BOOTING && kind == ANSWER -> on_ready(i)
                :: I[i].state == BOOTING && kind == REFUSAL -> break_worker(i, true)
                :: else -> /* BUSY, CANCELLING */
                        victim = I[i].call;
                        assert(victim == NONE || about == victim); /* an answer of its own */
                        culprit = I[i].gen;
                        fails = I[i].state == BUSY && kind == REFUSAL && !keep && usable &&
                                I[i].gen == gen;
                        I[i].call = NONE;
                        I[i].state = IDLE;
                        I[i].deadline = false;
                        I[i].grace = false;
                        idle = i
                fi
        fi
}

/* forget: the call ends now (its own deadline); else with the worker's answer, or its end. */
inline cancel(c)
{
        w = 0;
        do
        :: w < spawned && I[w].call != c -> w++
        :: else -> break
        od;
        if
        :: w < spawned ->
                I[w].deadline = false;
                if
                :: I[w].state == BUSY ->
                        request[w]!CANCEL(0, NONE);
                        I[w].grace = SETS_GRACE;
                        I[w].state = CANCELLING
                :: else
                fi;
                if
                :: FORGETS -> I[w].call = NONE
                :: else
                fi;
                if
                :: forget -> victim = c
                :: else
                fi
        :: else
        fi
}

inline on_death(i)
{
        if
        :: !I[i].broken -> hurt(i, I[i].state != LEAVING)
        :: else
        fi;
        I[i].state = GONE;
        I[i].nonce = 0;
        do
        :: wire[i]?kind(n, about)
        :: empty(wire[i]) -> break
        od;
        gone++
}

inline load()
{
        usable = false;
        stop_instances();
        gen++;
        in_flight = 0;
        life = ABSENT;
        step(REGISTERED);
        loading = true;
        start_worker();
        if
        :: I[spawned - 1].gen != gen -> loading = false; culprit = gen; step(LOAD_FAILED)
        :: else
        fi
}

#define IS_READABLE(i)  (len(wire[i]) > 0 && I[i].state != UNBORN && I[i].state != DYING && \
                         I[i].state != GONE)
/* What was complete at that instant counts: a reply before a death is a reply. */
#define IS_DEAD(i)      (dead[i] && I[i].state != GONE && !IS_READABLE(i))
#define HAS_DEADLINE(i) (I[i].deadline)
#define HAS_GRACE(i)    (I[i].grace)
#define ANY(what)       (what(0) || what(1))
#define PICK(what)                                                                                 \
        if                                                                                         \
        :: what(0) -> i = 0                                                                        \
        :: what(1) -> i = 1                                                                        \
        fi
#define IS_NEW(c)       (phase[c] == NEW)
#define IS_QUEUED(c)    (phase[c] == QUEUED)
#define IS_HANDED(c)    (phase[c] == HANDED)
#define ANY_CALL(what)  (what(0) || what(1))
#define PICK_CALL(what)                                                                            \
        if                                                                                         \
        :: what(0) -> c = 0                                                                        \
        :: what(1) -> c = 1                                                                        \
        fi

inline clean()
{
        i = 0; w = 0; q = 0; c = 0; c2 = 0; n = 0; about = 0;
        kind = ANSWER;
        victim = NONE; lost = NONE; idle = NONE;
        blame = false; fails = false; stops = false;
        culprit = 0
}

active proctype Host()
{
        /* What an event leaves for settle(), and scratch: as clean() makes it between events. */
        byte i, w, q, c, c2, n, about, victim = NONE, lost = NONE, idle = NONE;
        mtype:frame kind = ANSWER;
        bool blame, fails, stops, forget;

        atomic {
                c_code {
                        now.lies = atoi(getenv("LIES"));
                        now.leavers = atoi(getenv("LEAVERS"));
                        now.reloads = atoi(getenv("RELOADS"));
                        now.instances = atoi(getenv("INSTANCES"));
                        now.mutant = atoi(getenv("MUTANT"));
                };
                if
                :: keep = true
                :: keep = false
                fi;
                load();
                clean()
        }
        do
        :: atomic {
                if
                :: !closing && ANY_CALL(IS_NEW) && life != FAILED ->
                        PICK_CALL(IS_NEW);
                        phase[c] = QUEUED
                :: leavers > 0 && ANY_CALL(IS_QUEUED) ->
                        PICK_CALL(IS_QUEUED);
                        leavers--;
                        victim = c
                :: leavers > 0 && ANY_CALL(IS_HANDED) ->
                        PICK_CALL(IS_HANDED);
                        leavers--;
                        if
                        :: forget = true
                        :: forget = false
                        fi;
                        cancel(c);
                        forget = false
                :: ANY(IS_READABLE) -> PICK(IS_READABLE); on_frame(i)
                :: ANY(IS_DEAD) -> PICK(IS_DEAD); on_death(i)
                :: ANY(HAS_DEADLINE) -> PICK(HAS_DEADLINE); break_worker(i, true)
                :: ANY(HAS_GRACE) -> PICK(HAS_GRACE); break_worker(i, false)
                :: reloads > 0 && !closing -> reloads--; load()
                :: !closing ->
                        closing = true;
                        usable = false;
                        loading = false;
                        stops = true
                fi;
                settle();
                clean() }
        :: closing && gone == spawned -> break
        od;
        atomic {
                c = 0;
                do
                :: c < CALLS -> assert(phase[c] == NEW || ends[c] == 1); c++
                :: else -> break
                od
        }
}

active proctype Monitor()
{
        assert(life == RUNNING && in_flight > 0 ||
               life != RUNNING && (in_flight == 0 || life == FAILED))
}
