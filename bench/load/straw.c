// A stand-in server, for two questions about the generator itself. How fast is it? The stand-in does next to nothing: it
// throws publications away unread and streams ready-made frames to subscribers, or passes a request on. And does it notice
// faults? With --fault the stand-in makes one.
//
// It knows the generator's habits (a SUB comes with its PING, a request fits one read) and is of no use to anyone else.
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAULT_AT = 1024 };  // a multiple of 64, where the fill is checked too

struct peer {
  int fd;
  bool subscriber;
  int index;                // which subscriber
  int publisher;            // whose frames it gets now
  struct block *block;
  const char *out;
  size_t out_len;
};

static int loop_fd, subscriber_count;
static struct peer **streams;
static bool streaming;
static int responder_fd[PUBLISHERS_MAX], requester_fd[PUBLISHERS_MAX];

static void tell(int fd, const char *text, size_t len) {
  if (send(fd, text, len, MSG_NOSIGNAL) != (ssize_t)len) _exit(0);
}

// ---- streams

static void misbehave(struct block *b, uint32_t first) {
  uint32_t slot = (FAULT_AT - first) / b->stride;
  if (FAULT_AT < first || slot + 1 >= (uint32_t)b->frames) return;
  char *payload = b->bytes + b->slots[slot].payload, *next = b->bytes + b->slots[slot + 1].payload;
  int size = size_at(FAULT_AT), next_size = size_at(FAULT_AT + 1);
  switch (opt.fault) {
    case FAULT_SWAP: number_payload(payload, FAULT_AT + b->stride, b->publisher, size); // falls through
    case FAULT_DUPLICATE: number_payload(next, FAULT_AT, b->publisher, next_size); break;
    case FAULT_GAP: number_payload(payload, FAULT_AT + b->stride, b->publisher, size); break;
    case FAULT_CORRUPT: payload[size / 2] ^= 1; break;
    case FAULT_SUBJECT: payload[-10] ^= 1; break;
    case FAULT_SHORT:
    case FAULT_NONE: break;
  }
}

// Subscriber i's frames: its publisher's; everybody's when they share a subject; every n-th in a queue group.
static bool next_block(struct peer *p) {
  bool last_publisher = !opt.shared || p->publisher + 1 == opt.publishers;
  if (p->block && !p->block->left && last_publisher) return false;
  if (p->block && p->block->left) return true;
  p->publisher = !opt.shared ? p->index % opt.publishers : p->block ? p->publisher + 1 : 0;
  uint32_t count = (uint32_t)opt.messages, stride = 1, first = 0;
  if (opt.mode == MODE_QUEUE) {
    stride = (uint32_t)opt.subscribers;
    first = (uint32_t)p->index;
    count = (count - first + stride - 1) / stride;
  }
  p->block = new_block("MSG", p->publisher, first, stride, count - (opt.fault == FAULT_SHORT));
  return true;
}

static void stream_some(struct peer *p) {
  if (!p->out_len) {
    if (!next_block(p)) {
      struct epoll_event e = {.events = EPOLLIN, .data.ptr = p};
      epoll_ctl(loop_fd, EPOLL_CTL_MOD, p->fd, &e);
      return;
    }
    uint32_t first = p->block->next_sequence;
    p->out = p->block->bytes;
    p->out_len = refill(p->block);
    if (opt.fault) misbehave(p->block, first);
  }
  ssize_t sent = send(p->fd, p->out, p->out_len < WRITE_BYTES ? p->out_len : WRITE_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) _exit(0);
  if (sent > 0) {
    p->out += sent;
    p->out_len -= (size_t)sent;
  }
}

static void start_streams(void) {
  streaming = true;
  for (int i = 0; i < subscriber_count; i++) {
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = streams[i]};
    epoll_ctl(loop_fd, EPOLL_CTL_MOD, streams[i]->fd, &e);
  }
}

// ---- requests

static void pass_on(char *frame, size_t len) {
  char reply[SUBJECT_MAX], out[PAYLOAD_MAX + 256];
  int pair, size;
  const char *payload = memchr(frame, '\n', len);
  if (!payload) _exit(1);
  payload++;
  int head;
  if (sscanf(frame, "PUB svc.%d %47s %d", &pair, reply, &size) == 3) {
    head = snprintf(out, 250, "MSG svc.%d 1 %s %d\r\n", pair, reply, size);
  } else {
    if (sscanf(frame, "PUB %47s %d", reply, &size) != 2 || sscanf(reply, "_INBOX.%d", &pair) != 1) _exit(1);
    head = snprintf(out, 250, "MSG %s 1 %d\r\n", reply, size);
  }
  memcpy(out + head, payload, (size_t)size + 2);
  tell(frame[4] == 's' ? responder_fd[pair] : requester_fd[pair], out, (size_t)(head + size + 2));
}

// ---- connections

static void note_subscription(struct peer *p, const char *line) {
  int pair;
  if (sscanf(line, "SUB svc.%d", &pair) == 1) responder_fd[pair] = p->fd;
  else if (sscanf(line, "SUB _INBOX.%d", &pair) == 1) requester_fd[pair] = p->fd;
  else {
    p->index = subscriber_count;
    streams[subscriber_count++] = p;
  }
}

static void on_bytes(struct peer *p) {
  static char buffer[READ_BYTES + 1];
  ssize_t got = recv(p->fd, buffer, READ_BYTES, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) _exit(0);
  buffer[got] = 0;
  bool publication = !memcmp(buffer, "PUB ", 4) || !memcmp(buffer, "HPUB", 4);
  if (!memcmp(buffer, "SUB ", 4)) note_subscription(p, buffer);
  if (publication && opt.mode == MODE_RR) pass_on(buffer, (size_t)got);
  else if (publication && !streaming) start_streams();
  if (got >= 6 && !memcmp(buffer + got - 6, "PING\r\n", 6)) tell(p->fd, "PONG\r\n", 6);
}

static void serve(int listener) {
  loop_fd = epoll_create1(0);
  streams = calloc((size_t)opt.subscribers + 1, sizeof *streams);
  struct epoll_event e = {.events = EPOLLIN};
  epoll_ctl(loop_fd, EPOLL_CTL_ADD, listener, &e);
  for (;;) {
    struct epoll_event events[256];
    int count = epoll_wait(loop_fd, events, 256, -1);
    for (int i = 0; i < count; i++) {
      struct peer *p = events[i].data.ptr;
      if (!p) {
        p = calloc(1, sizeof *p);
        p->fd = accept(listener, NULL, NULL);
        e = (struct epoll_event){.events = EPOLLIN, .data.ptr = p};
        epoll_ctl(loop_fd, EPOLL_CTL_ADD, p->fd, &e);
        tell(p->fd, "INFO {}\r\n", 9);
        continue;
      }
      if (events[i].events & EPOLLIN) on_bytes(p);
      if (events[i].events & EPOLLOUT) stream_some(p);
    }
  }
}

void start_straw_server(void) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof at;
  if (bind(listener, (struct sockaddr *)&at, len) || listen(listener, 1024)) die("stand-in server: %s", strerror(errno));
  getsockname(listener, (struct sockaddr *)&at, &len);
  opt.host = at.sin_addr;
  opt.port = opt.sub_port = ntohs(at.sin_port);
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    serve(listener);
  }
  close(listener);
  opt.pids[0] = child;
  opt.pid_count = 1;
}
