// Sockets, the handshake, and the event loop. Sockets stay blocking: the loop reads and publishers write with
// MSG_DONTWAIT; short control lines are sent with send_now, which may block (the deadline bounds it).
#include "load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int loop_fd;

void open_loop(void) {
  loop_fd = epoll_create1(0);
  if (loop_fd < 0) die("epoll: %s", strerror(errno));
}

void send_now(struct conn *c, const char *bytes, size_t len) {
  static char frame[FRAME_HEAD + 0xffff];
  if (opt.websocket) {
    len = frame_control(frame, bytes, len);
    bytes = frame;
  }
  send_bytes(c, bytes, len);
}

void send_bytes(struct conn *c, const char *bytes, size_t len) {
  while (len) {
    ssize_t sent = send(c->fd, bytes, len, MSG_NOSIGNAL);
    if (sent < 0) die("send on connection %d: %s", c->id, strerror(errno));
    bytes += sent;
    len -= (size_t)sent;
  }
}

void ping_and_wait(struct conn *c) {
  c->ponged = false;
  send_now(c, "PING\r\n", 6);
  while (!c->ponged) {
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    poll(&p, 1, -1);
    receive(c);
  }
}

struct conn *connect_client(int port, int id) {
  static const char hello[] =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"c\",\"version\":\"1\",\"name\":\"bench\",\"protocol\":1,"
    "\"headers\":true,\"no_responders\":true,\"echo\":true}\r\n";
  struct conn *c = calloc(1, sizeof *c);
  c->id = id;
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = opt.host};
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to)) die("connect to port %d: %s", port, strerror(errno));
  int on = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (opt.websocket) upgrade(c);
  send_now(c, hello, sizeof hello - 1);
  ping_and_wait(c);
  return c;
}

void subscribe(struct conn *c, const char *subject, const char *queue, int sid) {
  char line[256];
  int len = snprintf(line, sizeof line, "SUB %s %s%s%d\r\n", subject, queue ? queue : "", queue ? " " : "", sid);
  send_now(c, line, (size_t)len);
}

void watch(struct conn *c) {
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(loop_fd, EPOLL_CTL_ADD, c->fd, &e)) die("epoll: %s", strerror(errno));
}

void want_write(struct conn *c, bool wanted) {
  if (c->wants_write == wanted) return;
  c->wants_write = wanted;
  struct epoll_event e = {.events = EPOLLIN | (wanted ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(loop_fd, EPOLL_CTL_MOD, c->fd, &e);
}

void loop_turn(int timeout_ms) {
  struct epoll_event events[512];
  int count = epoll_wait(loop_fd, events, 512, timeout_ms);
  for (int i = 0; i < count; i++) {
    struct conn *c = events[i].data.ptr;
    if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
    if (events[i].events & EPOLLOUT) c->on_writable(c);
  }
}

void loop_for(double seconds) {
  double end = now() + seconds;
  for (double left; (left = end - now()) > 0;) loop_turn((int)(left * 1000) + 1);
}

// Asks every connection for a PONG: what the server still had to deliver arrives before it.
void check_nothing_more(struct conn **conns, int count, long expected_total, long *received_total) {
  for (int i = 0; i < count; i++) {
    conns[i]->ponged = false;
    send_now(conns[i], "PING\r\n", 6);
  }
  for (int i = 0; i < count; i++)
    while (!conns[i]->ponged) loop_turn(1000);
  if (*received_total != expected_total) die("%ld messages delivered, %ld expected", *received_total, expected_total);
}

// ---- one hop

static void ignore_message(struct conn *c, const struct message *m) {
  (void)c;
  (void)m;
}

static void await_interest_at(int publish_port, int subscribe_port) {
  struct conn *listener = connect_client(subscribe_port, -1), *caller = connect_client(publish_port, -2);
  listener->on_message = ignore_message;
  subscribe(listener, "bench-ready", NULL, 1);
  ping_and_wait(listener);
  while (!listener->received) {
    send_now(caller, "PUB bench-ready 0\r\n\r\n", 21);
    ping_and_wait(caller);
    struct pollfd p = {.fd = listener->fd, .events = POLLIN};
    if (poll(&p, 1, 5) > 0) receive(listener);
  }
  close(listener->fd);
  close(caller->fd);
}

// Interest crosses a route in the order in which it arose: once the last subscription is known, all are.
void await_route_interest(void) {
  if (opt.sub_port == opt.port) return;
  await_interest_at(opt.port, opt.sub_port);
  await_interest_at(opt.sub_port, opt.port);
}
