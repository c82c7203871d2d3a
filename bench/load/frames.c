// The messages that are published, and the check of those that arrive.
//
// A payload tells who sent it and which it is, so that loss, doubling, reordering and damage all show:
//
//   0         4           6      8                     size-8      size
//   | sequence | publisher | size | fill, per publisher | ~first 8 |      (the tail from 16 bytes on)
//
// The bytes are binary, so a server that looks for line ends inside payloads fails here. Head and tail are compared for
// every message, the fill for every 64th. Subject and size follow from publisher and sequence, and are compared too.
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILL_CHECK_MASK = 63 };

// One entry per publisher and subject: "bench.3.17 1 " as it stands in a MSG line (all subscriptions have sid 1).
static char (*prefixes)[SUBJECT_MAX];
static unsigned char *prefix_len;
static char fill_patterns[26][PAYLOAD_MAX];

static const char headers[] = "NATS/1.0\r\nBench-Run: 4f1c2a\r\nContent-Type: application/octet-stream\r\n\r\n";

const char *header_block(size_t *len) {
  *len = sizeof headers - 1;
  return headers;
}

int size_at(uint32_t sequence) { return opt.sizes[opt.size_count == 1 ? 0 : sequence % opt.size_count]; }

void prepare_subjects(void) {
  prefixes = calloc((size_t)opt.publishers * opt.subjects, sizeof *prefixes);
  prefix_len = calloc((size_t)opt.publishers * opt.subjects, 1);
  for (int p = 0; p < opt.publishers; p++)
    for (int k = 0; k < opt.subjects; k++) {
      char *text = prefixes[p * opt.subjects + k];
      int len = opt.shared         ? snprintf(text, SUBJECT_MAX, "bench 1 ")
                : opt.subjects > 1 ? snprintf(text, SUBJECT_MAX, "bench.%d.%d 1 ", p, k)
                                   : snprintf(text, SUBJECT_MAX, "bench.%d 1 ", p);
      prefix_len[p * opt.subjects + k] = len;
    }
  for (int i = 0; i < 26; i++) memset(fill_patterns[i], 'a' + i, PAYLOAD_MAX);
}

const char *subject_of(int publisher, int index) {
  static char subject[SUBJECT_MAX];
  snprintf(subject, sizeof subject, "%s", prefixes[publisher * opt.subjects + index]);
  *strchr(subject, ' ') = 0;
  return subject;
}

// ---- payloads

void number_payload(char *payload, uint32_t sequence, int publisher, int size) {
  uint64_t head = sequence | (uint64_t)publisher << 32 | (uint64_t)size << 48;
  memcpy(payload, &head, 8);
  head = ~head;
  if (size >= 16) memcpy(payload + size - 8, &head, 8);
}

void fill_payload(char *payload, uint32_t sequence, int publisher, int size) {
  memcpy(payload, fill_patterns[publisher % 26], size);
  number_payload(payload, sequence, publisher, size);
}

uint32_t check_payload(const char *payload, size_t len, int *publisher) {
  uint64_t head, tail;
  if (len < PAYLOAD_MIN) die("payload of %zu bytes, none that short was sent", len);
  memcpy(&head, payload, 8);
  uint32_t sequence = (uint32_t)head;
  *publisher = head >> 32 & 0xffff;
  if (head >> 48 != len) die("payload damaged: %zu bytes arrived, its head says %d", len, (int)(head >> 48));
  if (*publisher >= opt.publishers) die("payload damaged: publisher %d does not exist", *publisher);
  if (len < 16) return sequence;
  memcpy(&tail, payload + len - 8, 8);
  if (tail != ~head) die("payload damaged: head and tail of message %u disagree", sequence);
  if (!(sequence & FILL_CHECK_MASK) && memcmp(payload + 8, fill_patterns[*publisher % 26], len - 16))
    die("payload damaged: wrong bytes inside message %u", sequence);
  return sequence;
}

static void check_headers(const struct message *m) {
  if (opt.headers != (m->header != NULL)) die("headers %s", opt.headers ? "lost" : "appeared");
  if (m->header && (m->header_len != sizeof headers - 1 || memcmp(m->header, headers, m->header_len)))
    die("headers damaged");
}

void check_publication(struct conn *c, const struct message *m, bool gaps_allowed) {
  int publisher;
  uint32_t sequence = check_payload(m->payload, m->payload_len, &publisher);
  uint32_t expected = c->next_sequence[publisher];
  if (sequence != expected && !(gaps_allowed && sequence > expected))
    die("order broken: subscriber %d expected message %u of publisher %d and got %u", c->id, expected, publisher, sequence);
  c->next_sequence[publisher] = sequence + 1;
  int subject = publisher * opt.subjects + (opt.subjects == 1 ? 0 : (int)(sequence % opt.subjects));
  size_t len = prefix_len[subject];
  if (m->args_len < len || memcmp(m->args, prefixes[subject], len))
    die("wrong subject or sid: expected '%s', got '%.*s'", prefixes[subject], (int)m->args_len, m->args);
  if (m->payload_len != (size_t)size_at(sequence)) die("wrong size of message %u", sequence);
  check_headers(m);
}

// ---- blocks

static int least_common_multiple(int a, int b) {
  int x = a, y = b;
  while (y) {
    int rest = x % y;
    x = y;
    y = rest;
  }
  return a / x * b;
}

// The line is "<op>PUB bench.0 16" from a publisher, "<op>MSG bench.0 1 16" from the stand-in server.
static int frame_line(char *into, const char *op, int publisher, int subject, int size) {
  const char *prefix = prefixes[publisher * opt.subjects + subject];
  bool published = !strcmp(op, "PUB");
  const char *root = published && opt.mapped ? "outer" : "bench", *rest = prefix + strlen("bench");
  int rest_len = published ? (int)(strchr(rest, ' ') - rest + 1) : (int)strlen(rest);
  if (!opt.headers) return sprintf(into, "%s %s%.*s%d\r\n", op, root, rest_len, rest, size);
  int header_len = sizeof headers - 1;
  return sprintf(into, "H%s %s%.*s%d %d\r\n%s", op, root, rest_len, rest, header_len, header_len + size, headers);
}

static size_t cycle_bytes(const char *op, int publisher, int cycle) {
  char line[SUBJECT_MAX + 128];
  size_t bytes = 0;
  for (int i = 0; i < cycle; i++) bytes += frame_line(line, op, publisher, i % opt.subjects, size_at(i)) + size_at(i) + 2;
  return bytes;
}

// Whether a message of so many bytes begins another frame of WebSocket.
static bool needs_frame(const struct block *b, uint32_t at, int size) {
  return !b->head_count || at - b->heads[b->head_count - 1] + (uint32_t)size > FRAME_BYTES;
}

// The frame that holds what lies in front of `end` is no longer.
static void end_frame(const struct block *b, uint32_t end) {
  int last = b->head_count - 1;
  while (b->heads[last] >= end) last--;
  write_frame_head(b->bytes + b->heads[last], end - b->heads[last] - FRAME_HEAD);
}

struct block *new_block(const char *op, int publisher, uint32_t first, uint32_t stride, uint32_t count) {
  struct block *b = calloc(1, sizeof *b);
  b->publisher = publisher;
  b->next_sequence = first;
  b->stride = stride;
  b->left = count;
  int cycle = least_common_multiple(opt.subjects, opt.size_count);
  size_t room = 0;
  for (int i = 0; i < cycle; i++) room += size_at(i) + SUBJECT_MAX + 32 + FRAME_HEAD + (opt.headers ? sizeof headers : 0);
  int cycles = WRITE_BYTES / cycle_bytes(op, publisher, cycle);
  b->frames = cycle * (cycles ? cycles : 1);
  b->bytes = malloc(room * (b->frames / cycle));
  b->slots = calloc(b->frames, sizeof *b->slots);
  b->heads = calloc(b->frames, sizeof *b->heads);
  uint32_t at = 0;
  for (int i = 0; i < b->frames; i++) {
    int size = size_at(i);
    if (opt.websocket && needs_frame(b, at, size)) {
      b->heads[b->head_count++] = at;
      at += FRAME_HEAD;
    }
    at += frame_line(b->bytes + at, op, publisher, i % opt.subjects, size);
    b->slots[i] = (struct slot){.payload = at, .end = at + size + 2, .size = size};
    fill_payload(b->bytes + at, 0, publisher, size);
    memcpy(b->bytes + at + size, "\r\n", 2);
    at += size + 2;
    if (opt.websocket) end_frame(b, at);
  }
  return b;
}

size_t refill(struct block *b) {
  int frames = b->left < (uint32_t)b->frames ? (int)b->left : b->frames;
  if (!frames) return 0;
  uint32_t sequence = b->next_sequence, stride = b->stride;
  for (const struct slot *s = b->slots, *end = s + frames; s < end; s++, sequence += stride)
    number_payload(b->bytes + s->payload, sequence, b->publisher, s->size);
  b->next_sequence = sequence;
  b->left -= frames;
  uint32_t end = b->slots[frames - 1].end;
  if (opt.websocket && frames < b->frames) end_frame(b, end);
  return end;
}
