/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All commands. Help, completion and the man page's list come from here. */
#include "config.h"

#include "ctl.h"

/* summary NULL: for farctl itself, not shown. */
const CtlCommand ctl_commands[] = {
  { "status", "", N_ ("what runs at this node and what does not"), ctl_status },
  { "doctor", "", N_ ("look for what will cause trouble: clock, ports, limits, certificates"), ctl_doctor },
  { "terminals", "[TERMINAL]", N_ ("terminals, or one with its devices"), ctl_terminals },
  { "terminal add", "TERMINAL [--site TEXT] [--note TEXT] [--stock host-login --ssh KEY] [--for TIME]",
    N_ ("register a terminal; prints the join token for it"), ctl_terminal_add },
  { "terminal set", "TERMINAL [--site TEXT] [--note TEXT] [--stock host-login] [--ssh KEY] [--box KEY]", N_ ("change what is known of a terminal"),
    ctl_terminal_set },
  { "terminal remove", "TERMINAL", N_ ("remove a terminal: its link is cut, its certificate revoked"), ctl_terminal_remove },
  { "device add", "TERMINAL/DEVICE --endpoint NAME [--address HOST:PORT] [--line NAME] [--weight watch|light|heavy] [--note TEXT]",
    N_ ("register a device of a terminal"), ctl_device_add },
  { "device remove", "TERMINAL/DEVICE", N_ ("remove a device from the registry"), ctl_device_remove },
  { "user add", "NAME [--group GROUP]… [--key FILE] [--password-stdin] [--no-password]", N_ ("make a person, or change password, groups, key"),
    ctl_user_add },
  { "user remove", "NAME", N_ ("remove a person; their logins end"), ctl_user_remove },
  { "user list", "", N_ ("people"), ctl_user_list },
  { "grant", "WHO ACTION OBJECT [--id ID] [--hours TEXT] [--longest TIME] [--from NETS] [--needs approval] [--until DATE]",
    N_ ("give a right: grant alice connect terminals/t1"), ctl_grant },
  { "revoke", "RIGHT | --node NODE", N_ ("take a right back, or a node's certificate"), ctl_revoke },
  { "rights", "", N_ ("rights: all, or one's own"), ctl_rights },
  { "explain", "WHO ACTION OBJECT [--for TIME] [--from ADDRESS] [--at TIME]", N_ ("why somebody may or may not"), ctl_explain },
  { "login", "[NAME] [--password-stdin]", N_ ("log in at --server; the ticket is kept for 12 hours"), ctl_login },
  { "logout", "", N_ ("end one's logins at --server"), ctl_logout },
  { "ca init", "[--profile FILE | --dir DIR] [--name HOST]… [--fleet NAME]", N_ ("make the fleet's authority, and this node's certificate"), ctl_ca_init },
  { "enroll", "--profile FILE --server HOST:PORT [--wait TIME]", N_ ("join a fleet: reads the token from stdin"), ctl_enroll },
  { "enroll join", "--profile FILE --server HOST:PORT [--wait TIME]", N_ ("the same"), ctl_enroll },
  { "enroll token", "[NODE] [--for TIME]", N_ ("a join token for a new node"), ctl_enroll_token },
  { "enroll list", "", N_ ("enrolments that wait for approval"), ctl_enroll_list },
  { "enroll approve", "NUMBER --dir CA [--days N] [--name HOST]…", N_ ("sign an enrolment with the authority's key on this machine"), ctl_enroll_approve },
  { "connect", "TERMINAL[/DEVICE] [--for TIME] [--reason TEXT] [--listen PORT] [--entry ports|stream] [--raw] [--login in-band|in-advance] [--user NAME] "
               "[--password-stdin] [-- COMMAND]",
    N_ ("reach a terminal or a device behind it, for a while"), ctl_connect },
  { "sessions", "[SESSION] [--all]", N_ ("sessions, or one of them"), ctl_sessions },
  { "approve", "SESSION [--refuse]", N_ ("agree to a session that needs a second person"), ctl_approve },
  { "close", "SESSION", N_ ("end a session"), ctl_close_session },
  { "history", "[--terminal T] [--person P] [--session S] [--limit N]", N_ ("who reached what, when, how it ended; refusals"), ctl_history },
  { "samples", "[SOURCE] [NAME] [--from TIME] [--to TIME] [--limit N] [--plot]", N_ ("values: which there are, or those of one"), ctl_samples },
  { "plugins", "", N_ ("plugins that are installed"), ctl_plugins },
  { "describe", "TYPE", N_ ("the options of a type"), ctl_describe },
  { "check", "PROFILE", N_ ("check a profile; needs no daemon"), ctl_check },
  { "reload", "", N_ ("read the profile again"), ctl_reload },
  { "backup", "[--name NAME]", N_ ("copy the store, as it is now"), ctl_backup },
  { "call", "METHOD RESOURCE [BODY] | --list", N_ ("any message: call GET terminals"), ctl_call_command },
  { "completion", "[bash]", N_ ("print the completion for the shell"), ctl_completion },
  { "stream", "SESSION", NULL, ctl_stream_command },
  { NULL, NULL, NULL, NULL },
};
