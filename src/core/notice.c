/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "core/notice.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD offsetof(struct pl_notice, text)
#define QUEUE 4096

/* Ours has sent its message by the time it is accepted; another may not. */
#define MESSAGE_MS 1000

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/*
 * Half of the run's id is the name, which anybody can list; the message has
 * all of it, which only those know who can read the environment.
 */
static socklen_t address(struct sockaddr_un *a, const uint8_t run[16])
{
	static const char digit[] = "0123456789abcdef", stem[] = "proflite-";
	char *p = a->sun_path;

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	*p++ = '\0';
	memcpy(p, stem, sizeof(stem) - 1);
	p += sizeof(stem) - 1;
	for (int i = 0; i < 8; i++) {
		*p++ = digit[run[i] >> 4];
		*p++ = digit[run[i] & 15];
	}
	return (socklen_t)(p - (char *)a);
}

/* Anybody can take the name once the launcher has ended. */
static bool is_trusted(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) &&
	       (!peer.uid || peer.uid == geteuid() || peer.uid == getuid());
}

static bool send_message(int to, const struct pl_notice *head, const char *text,
			 int fd)
{
	union control control = { .bytes = { 0 } };
	struct iovec parts[] = {
		{ (void *)(uintptr_t)head, HEAD },
		{ (void *)(uintptr_t)text, strlen(text) },
	};
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2 };
	struct cmsghdr *c;

	if (parts[1].iov_len >= sizeof(head->text))
		parts[1].iov_len = sizeof(head->text) - 1;
	if (fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
}

bool pl_notice_send(const uint8_t run[16], enum pl_notice_kind kind,
		    const uint8_t *recording, const char *text, int fd)
{
	struct pl_notice head;
	struct sockaddr_un a;
	socklen_t len = address(&a, run);
	bool ok;
	int to;

	to = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (to < 0)
		return false;
	memset(&head, 0, HEAD);
	memcpy(head.run, run, 16);
	if (recording)
		memcpy(head.recording, recording, 16);
	head.kind = kind;
	head.pid = (uint32_t)getpid();
	ok = !connect(to, (struct sockaddr *)&a, len) && is_trusted(to) &&
	     (send_message(to, &head, text, fd) ||
	      /* too many descriptors are on their way */
	      (fd >= 0 && send_message(to, &head, text, -1)));
	close(to);
	return ok;
}

int pl_notice_listen(const uint8_t run[16])
{
	struct sockaddr_un a;
	socklen_t len = address(&a, run);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);

	if (fd >= 0 && !bind(fd, (struct sockaddr *)&a, len) &&
	    !listen(fd, QUEUE))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int descriptor_of(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

static bool read_message(int from, const uint8_t run[16], struct pl_notice *n,
			 int *fd)
{
	union control control;
	struct iovec part = { n, sizeof(*n) - 1 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	struct pollfd p = { .fd = from, .events = POLLIN };
	ssize_t got;

	memset(n, 0, sizeof(*n));
	poll(&p, 1, MESSAGE_MS);
	got = recvmsg(from, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	*fd = got < 0 ? -1 : descriptor_of(&m);
	if (got >= (ssize_t)HEAD && !memcmp(n->run, run, 16))
		return true;
	if (*fd >= 0)
		close(*fd);
	return false;
}

bool pl_notice_receive(int socket, const uint8_t run[16],
		       struct pl_notice *notice, int *fd)
{
	for (;;) {
		int from = accept4(socket, NULL, NULL, SOCK_CLOEXEC);
		bool ok;

		if (from < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (from < 0)
			return false;
		ok = read_message(from, run, notice, fd);
		close(from);
		if (ok)
			return true;
	}
}
