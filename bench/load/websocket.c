// WebSocket (RFC 6455), the client's side: the upgrade, frames around what is sent, and frames taken off what arrives, in place.
//
// Masks are four zeros. Servers apply them like any others, so that the work is theirs alone.
#include "load.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { SHORT_MAX = 125, SHORT_HEAD = 6, FINAL_BINARY = 0x82, MASKED = 0x80, LENGTH_16 = 126, LENGTH_64 = 127 };

// Writes the head of a frame of up to 64 KiB in its longer form, which has FRAME_HEAD bytes.
void write_frame_head(char *into, size_t len) {
  if (len > 0xffff) die("frame of %zu bytes", len);
  memset(into, 0, FRAME_HEAD);
  into[0] = (char)FINAL_BINARY;
  into[1] = (char)(MASKED | LENGTH_16);
  into[2] = (char)(len >> 8);
  into[3] = (char)len;
}

// Puts a line of control into a frame of its own.
size_t frame_control(char *into, const char *bytes, size_t len) {
  size_t head = len <= SHORT_MAX ? SHORT_HEAD : FRAME_HEAD;
  if (len <= SHORT_MAX) {
    memset(into, 0, SHORT_HEAD);
    into[0] = (char)FINAL_BINARY;
    into[1] = (char)(MASKED | len);
  } else {
    write_frame_head(into, len);
  }
  memcpy(into + head, bytes, len);
  return head + len;
}

void upgrade(struct conn *c) {
  static const char request[] =
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  char answer[2048];
  size_t len = 0;
  send_bytes(c, request, sizeof request - 1);
  while (len < 4 || memcmp(answer + len - 4, "\r\n\r\n", 4)) {
    if (len == sizeof answer || recv(c->fd, answer + len, 1, 0) != 1) die("the server does not answer the upgrade");
    len++;
  }
  if (memcmp(answer, "HTTP/1.1 101", 12)) die("the upgrade was refused: '%.40s'", answer);
}

static size_t head_length(const unsigned char *head) {
  return head[1] == LENGTH_16 ? 4 : head[1] == LENGTH_64 ? 10 : 2;
}

static uint64_t payload_length(const unsigned char *head) {
  uint64_t length = 0;
  size_t bytes = head_length(head) - 2;
  if (!bytes) return head[1];
  for (size_t i = 0; i < bytes; i++) length = length << 8 | head[2 + i];
  return length;
}

// Moves the payloads of the frames in `bytes` together at its beginning, and returns how long they are.
size_t unframe(struct conn *c, char *bytes, size_t len) {
  size_t out = 0;
  for (size_t at = 0; at < len;) {
    if (c->frame_left) {
      size_t part = c->frame_left < len - at ? c->frame_left : len - at;
      memmove(bytes + out, bytes + at, part);
      out += part;
      at += part;
      c->frame_left -= part;
      continue;
    }
    c->frame_head[c->frame_head_len++] = (unsigned char)bytes[at++];
    if (c->frame_head_len < 2 || c->frame_head_len < head_length(c->frame_head)) continue;
    if ((c->frame_head[0] & 0x7f) > 2 || c->frame_head[1] & MASKED) die("unexpected frame of kind %#x", c->frame_head[0]);
    c->frame_left = payload_length(c->frame_head);
    c->frame_head_len = 0;
  }
  return out;
}
