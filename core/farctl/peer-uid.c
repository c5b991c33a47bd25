/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose the other end of a local TCP connection is: the kernel is asked for the socket with the addresses
 * turned round. One that its program has closed already belongs to nobody. */
#include "config.h"

#include "connect.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
  struct nlmsghdr head;
  struct inet_diag_req_v2 what;
} PeerQuestion;

typedef union {
  struct nlmsghdr head;
  char bytes[4096];
} PeerAnswer;

static gboolean
peer_fail (GError **error, int code)
{
  g_set_error (
      error, FAR_ERROR, FAR_ERROR_UNAVAILABLE,
      _ ("the kernel does not tell whose a local connection is: %s; --listen-all-users does without"),
      g_strerror (code));
  return FALSE;
}

/* The peer's socket: what is its own address is ours as a peer. */
static gboolean
peer_question (int fd, PeerQuestion *question)
{
  struct sockaddr_in near, far;
  socklen_t near_size = sizeof near, far_size = sizeof far;

  if (getsockname (fd, (struct sockaddr *) &near, &near_size) != 0 ||
      getpeername (fd, (struct sockaddr *) &far, &far_size) != 0)
    return FALSE;
  *question = (PeerQuestion){
    .head = { .nlmsg_len = sizeof *question,
              .nlmsg_type = SOCK_DIAG_BY_FAMILY,
              .nlmsg_flags = NLM_F_REQUEST },
    .what = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u }
  };
  question->what.id.idiag_sport = far.sin_port;
  question->what.id.idiag_dport = near.sin_port;
  question->what.id.idiag_src[0] = far.sin_addr.s_addr;
  question->what.id.idiag_dst[0] = near.sin_addr.s_addr;
  question->what.id.idiag_cookie[0] = question->what.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return TRUE;
}

static gboolean
peer_judge (const PeerAnswer *answer, gssize size, gboolean *mine, uid_t *uid, GError **error)
{
  const struct inet_diag_msg *found = (const struct inet_diag_msg *) (const void *) (answer->bytes +
                                                                                     NLMSG_HDRLEN);

  if (size >= (gssize) (NLMSG_HDRLEN + sizeof (struct nlmsgerr)) && answer->head.nlmsg_type == NLMSG_ERROR) {
    int code = -((const struct nlmsgerr *) (const void *) (answer->bytes + NLMSG_HDRLEN))->error;

    *uid = (uid_t) -1;
    return code == ENOENT || peer_fail (error, code); /* it is gone already */
  }
  if (size < (gssize) (NLMSG_HDRLEN + sizeof *found) || answer->head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
    return peer_fail (error, EPROTO);
  *uid = found->idiag_inode != 0 ? found->idiag_uid : (uid_t) -1;
  *mine = found->idiag_inode != 0 && found->idiag_uid == geteuid ();
  return TRUE;
}

gboolean
connect_peer_is_mine (int fd, gboolean *mine, uid_t *uid, GError **error)
{
  PeerQuestion question;
  PeerAnswer answer;
  gssize size = -1;
  int netlink = socket (AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), code = errno;

  *mine = FALSE;
  *uid = (uid_t) -1;
  if (netlink < 0)
    return peer_fail (error, code);
  if (!peer_question (fd, &question)) {
    close (netlink);
    return TRUE; /* gone */
  }
  if (send (netlink, &question, sizeof question, 0) == (gssize) sizeof question)
    size = recv (netlink, &answer, sizeof answer, 0);
  code = errno;
  close (netlink);
  return size >= (gssize) NLMSG_HDRLEN ? peer_judge (&answer, size, mine, uid, error)
                                       : peer_fail (error, code);
}
