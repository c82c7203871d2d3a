// Bytes from a server -> messages and control lines. A frame is handled when it has arrived whole; the start of an
// unfinished one is kept by the connection and put in front of the next read.
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static char buffer[READ_BYTES + PAYLOAD_MAX + 4096];

// Reads the decimal number that ends at `end` (exclusive) and moves `end` in front of the space before it.
static size_t number_before(const char *start, const char **end) {
  const char *p = *end;
  size_t value = 0, scale = 1;
  while (p > start && p[-1] >= '0' && p[-1] <= '9') {
    value += (size_t)(*--p - '0') * scale;
    scale *= 10;
  }
  if (p == *end || p == start || p[-1] != ' ') die("bad message line: '%.*s'", (int)(*end - start), start);
  *end = p - 1;
  return value;
}

// Returns the byte behind the frame, or NULL while its end has not arrived.
static const char *message_frame(struct conn *c, const char *line, const char *eol, const char *end) {
  bool has_headers = *line == 'H';
  struct message m = {.args = line + (has_headers ? 5 : 4)};
  if (eol - line < 6 || memcmp(m.args - 4, "MSG ", 4) || eol[-1] != '\r')
    die("bad message line: '%.*s'", (int)(eol - line), line);
  const char *numbers = eol - 1;
  m.args_len = (size_t)(numbers - m.args);
  size_t total = number_before(m.args, &numbers);
  if (has_headers) m.header_len = number_before(m.args, &numbers);
  if (total > PAYLOAD_MAX + 1024 || m.header_len > total) die("message of %zu bytes, none that long was sent", total);
  if ((size_t)(end - eol - 1) < total + 2) return NULL;
  m.header = has_headers ? eol + 1 : NULL;
  m.payload = eol + 1 + m.header_len;
  m.payload_len = total - m.header_len;
  const char *tail = m.payload + m.payload_len;
  if (tail[0] != '\r' || tail[1] != '\n') die("framing broken: no line end behind a payload of %zu bytes", total);
  if (!c->on_message) die("connection %d got a message it did not subscribe to", c->id);
  c->received++;
  c->on_message(c, &m);
  return tail + 2;
}

static void control_line(struct conn *c, const char *line, size_t len) {
  if (len >= 4 && !memcmp(line, "PONG", 4)) {
    c->ponged = true;
  } else if (len >= 4 && !memcmp(line, "PING", 4)) {
    if (c->block) c->owes_pong = true;
    else send_now(c, "PONG\r\n", 6);
  } else if (len >= 4 && (!memcmp(line, "INFO", 4) || !memcmp(line, "+OK\r", 4))) {
    // Servers announce changes of their cluster at any time.
  } else {
    die("server said '%.*s'", (int)(len < 200 ? len : 200), line);
  }
}

static const char *consume(struct conn *c, const char *p, const char *end) {
  while (p < end) {
    const char *eol = memchr(p, '\n', (size_t)(end - p));
    if (!eol) break;
    if (*p == 'M' || *p == 'H') {
      const char *next = message_frame(c, p, eol, end);
      if (!next) break;
      p = next;
    } else {
      control_line(c, p, (size_t)(eol - p));
      p = eol + 1;
    }
  }
  return p;
}

static void keep_rest(struct conn *c, const char *rest, size_t len) {
  if (len > sizeof buffer - READ_BYTES) die("line of more than %zu bytes", len);
  if (len > c->carry_cap) {
    c->carry = realloc(c->carry, len);
    c->carry_cap = len;
  }
  if (len) memcpy(c->carry, rest, len);
  c->carry_len = len;
}

void receive(struct conn *c) {
  if (c->carry_len) memcpy(buffer, c->carry, c->carry_len);
  ssize_t got = recv(c->fd, buffer + c->carry_len, READ_BYTES, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) die("connection %d was closed by the server (%s)", c->id, got ? strerror(errno) : "end of stream");
  if (opt.websocket) got = (ssize_t)unframe(c, buffer + c->carry_len, (size_t)got);
  const char *end = buffer + c->carry_len + got;
  const char *rest = consume(c, buffer, end);
  keep_rest(c, rest, (size_t)(end - rest));
}
