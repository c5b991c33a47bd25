/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thread with a libev loop and a home: where one libwebsockets context lives. Whatever libwebsockets offers is called in this thread
 * only, once it runs; others post to the home. */
#pragma once
#include <farwatch/home.h>

struct ev_loop;
typedef struct _WsLoop WsLoop;

/* [main] The thread is not there before ws_loop_run(): until then the maker may use ev and whatever is attached to it. */
WsLoop *ws_loop_new (const char *name);
struct ev_loop *ws_loop_ev (WsLoop *loop);
FarHome *ws_loop_home (WsLoop *loop);
void ws_loop_run (WsLoop *loop);
/* [any thread but the loop's] Ends the thread. Work posted before is done; end runs last, in the thread. Blocks for what that takes. */
void ws_loop_end (WsLoop *loop, FarHomeFunc end, gpointer data);
/* [the loop's thread, as the last thing] Ends and frees itself; end runs outside of every callback of the loop. */
void ws_loop_end_here (WsLoop *loop, FarHomeFunc end, gpointer data);
