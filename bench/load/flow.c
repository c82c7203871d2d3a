// Modes pub, pubsub and queue: publishers send as fast as the server takes it, subscribers check what arrives. The clock
// stops when every message has arrived and every publisher's closing PING is answered.
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct conn **publishers, **subscribers;
static int subscriber_count;
static long delivered, expected;
static uint8_t *queue_seen;  // one bit per message: a queue group gets each exactly once

// ---- publishing

static void put_out(struct conn *c, const char *line) {
  c->out_len = strlen(line);
  c->out = opt.websocket ? c->control : line;
  if (opt.websocket) c->out_len = frame_control(c->control, line, c->out_len);
}

// What goes out next: an owed PONG, the next frames, the closing PING. Only between frames.
static bool next_output(struct conn *c) {
  if (c->owes_pong) {
    c->owes_pong = false;
    put_out(c, "PONG\r\n");
    return true;
  }
  c->out = c->block->bytes;
  c->out_len = refill(c->block);
  if (c->out_len) return true;
  if (c->closing_ping_sent) return false;
  c->closing_ping_sent = true;
  put_out(c, "PING\r\n");
  return true;
}

// One write per call, so that publishers and subscribers take turns.
static void publish_some(struct conn *c) {
  if (!c->out_len && !next_output(c)) {
    want_write(c, false);
    return;
  }
  ssize_t sent = send(c->fd, c->out, c->out_len < WRITE_BYTES ? c->out_len : WRITE_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) die("publisher %d cannot write: %s", c->id, strerror(errno));
  if (sent > 0) {
    c->out += sent;
    c->out_len -= (size_t)sent;
  }
  want_write(c, true);
}

static bool all_published(void) {
  for (int i = 0; i < opt.publishers; i++)
    if (!publishers[i]->closing_ping_sent || !publishers[i]->ponged) return false;
  return true;
}

// ---- receiving

static void on_publication(struct conn *c, const struct message *m) {
  check_publication(c, m, false);
  delivered++;
}

static void on_queue_publication(struct conn *c, const struct message *m) {
  check_publication(c, m, true);
  int publisher;
  uint32_t sequence = check_payload(m->payload, m->payload_len, &publisher);
  size_t bit = (size_t)publisher * opt.messages + sequence;
  if (sequence >= opt.messages) die("message %u was never sent", sequence);
  if (queue_seen[bit / 8] & 1 << bit % 8) die("message %u of publisher %d reached the queue group twice", sequence, publisher);
  queue_seen[bit / 8] |= 1 << bit % 8;
  delivered++;
}

// ---- setting up

// Subscriber i listens to publisher i mod P; to all when they share a subject.
static long open_subscriber(int i) {
  struct conn *c = subscribers[i] = connect_client(opt.sub_port, i);
  bool queue = opt.mode == MODE_QUEUE;
  char subject[SUBJECT_MAX];
  if (opt.subjects > 1) snprintf(subject, sizeof subject, "bench.%d.>", i % opt.publishers);
  else snprintf(subject, sizeof subject, "%s", subject_of(i % opt.publishers, 0));
  c->next_sequence = calloc(opt.publishers, sizeof *c->next_sequence);
  c->on_message = queue ? on_queue_publication : on_publication;
  subscribe(c, subject, queue ? "workers" : NULL, 1);
  ping_and_wait(c);
  watch(c);
  if (queue) return i == 0 ? opt.publishers * opt.messages : 0;
  return opt.shared ? opt.publishers * opt.messages : opt.messages;
}

static void open_all(void) {
  subscriber_count = opt.mode == MODE_PUB ? 0 : opt.subscribers;
  subscribers = calloc((size_t)subscriber_count + 1, sizeof *subscribers);
  publishers = calloc(opt.publishers, sizeof *publishers);
  if (opt.mode == MODE_QUEUE) queue_seen = calloc((size_t)opt.publishers * opt.messages / 8 + 1, 1);
  for (int i = 0; i < subscriber_count; i++) expected += open_subscriber(i);
  if (subscriber_count) await_route_interest();
  for (int i = 0; i < opt.publishers; i++) {
    struct conn *c = publishers[i] = connect_client(opt.port, i);
    c->block = new_block("PUB", i, 0, 1, (uint32_t)opt.messages);
    c->ponged = false;
    c->on_writable = publish_some;
    watch(c);
  }
}

// ---- result

static void print_result(double wall, struct usage before, struct usage after, double own_cpu) {
  long published = opt.publishers * opt.messages, counted = delivered ? delivered : published;
  double cpu = after.cpu_seconds - before.cpu_seconds, bytes = 0;
  for (int i = 0; i < opt.size_count; i++) bytes += opt.sizes[i];
  double mean_size = bytes / opt.size_count, most = published > delivered ? published : delivered;
  printf("{\"mode\":\"%s\",\"meanSizeBytes\":%.0f,\"publishers\":%d,\"subscribers\":%d,\"published\":%ld,\"delivered\":%ld,"
         "\"wallSeconds\":%.4f,\"publishedPerSecond\":%.0f,\"deliveredPerSecond\":%.0f,\"messagesPerSecond\":%.0f,"
         "\"megabytesPerSecond\":%.1f,\"cpuSeconds\":%.4f,\"cpuNsPerMessage\":%.1f,\"cores\":%.3f,\"userSeconds\":%.2f,"
         "\"systemSeconds\":%.2f,\"rssKb\":%ld,\"generatorCores\":%.3f,\"generatorNsPerMessage\":%.1f",
         mode_name(), mean_size, opt.publishers, subscriber_count, published, delivered, wall, published / wall,
         delivered / wall, most / wall, most * mean_size / wall / 1e6, cpu, cpu / counted * 1e9, cpu / wall,
         after.user_seconds - before.user_seconds, after.system_seconds - before.system_seconds, after.rss_kb,
         own_cpu / wall, own_cpu / counted * 1e9);
  if (opt.mode == MODE_QUEUE) {
    long least = delivered, top = 0;
    for (int i = 0; i < subscriber_count; i++) {
      if (subscribers[i]->received < least) least = subscribers[i]->received;
      if (subscribers[i]->received > top) top = subscribers[i]->received;
    }
    printf(",\"queueMemberLeast\":%ld,\"queueMemberMost\":%ld", least, top);
  }
  puts("}");
}

void run_flow(void) {
  open_all();
  struct usage before = usage_of_servers();
  double own_before = own_cpu_seconds(), start = now();
  for (int i = 0; i < opt.publishers; i++) publish_some(publishers[i]);
  while (delivered < expected || !all_published()) loop_turn(1000);
  double wall = now() - start, own_cpu = own_cpu_seconds() - own_before;
  struct usage after = usage_of_servers();
  check_nothing_more(subscribers, subscriber_count, expected, &delivered);
  print_result(wall, before, after, own_cpu);
}
