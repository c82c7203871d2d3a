// Mode rr: pairs of a requester and a responder, one request in flight per pair; latencies as the requester sees them.
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float *latency_us;
static long answered, asked;

static void send_frame(struct conn *c, const char *subject, const char *reply, uint32_t sequence) {
  static char frame[PAYLOAD_MAX + 256];
  int size = opt.sizes[0];
  int len = snprintf(frame, 250, "PUB %s %s%s%d\r\n", subject, reply, *reply ? " " : "", size);
  fill_payload(frame + len, sequence, c->id, size);
  memcpy(frame + len + size, "\r\n", 2);
  send_now(c, frame, (size_t)(len + size + 2));
}

static void ask(struct conn *c) {
  char subject[SUBJECT_MAX], reply[SUBJECT_MAX];
  c->sequence++;
  asked++;
  snprintf(subject, sizeof subject, "svc.%d", c->id);
  if (opt.unique_replies) snprintf(reply, sizeof reply, "_INBOX.%d.%u", c->id, c->sequence);
  else snprintf(reply, sizeof reply, "_INBOX.%d", c->id);
  c->sent_at = now();
  send_frame(c, subject, reply, c->sequence);
}

static uint32_t sequence_of(struct conn *c, const struct message *m) {
  int pair;
  uint32_t sequence = check_payload(m->payload, m->payload_len, &pair);
  if (pair != c->id) die("a message of pair %d reached pair %d", pair, c->id);
  return sequence;
}

// The line holds: subject, sid, reply, size.
static void on_request(struct conn *c, const struct message *m) {
  char line[256], reply[128];
  snprintf(line, sizeof line, "%.*s", (int)m->args_len, m->args);
  if (sscanf(line, "%*s %*s %127s %*s", reply) != 1 || strncmp(reply, "_INBOX.", 7)) die("request without reply subject: %s", line);
  send_frame(c, reply, "", sequence_of(c, m));
}

static void on_reply(struct conn *c, const struct message *m) {
  uint32_t sequence = sequence_of(c, m);
  if (sequence != c->sequence) die("pair %d expected reply %u, got %u", c->id, c->sequence, sequence);
  if (answered < opt.messages) latency_us[answered] = (float)((now() - c->sent_at) * 1e6);
  answered++;
  if (asked < opt.messages) ask(c);
}

static struct conn *open_side(int port, int id, const char *pattern, void (*handler)(struct conn *, const struct message *)) {
  char subject[SUBJECT_MAX];
  struct conn *c = connect_client(port, id);
  snprintf(subject, sizeof subject, pattern, id);
  c->on_message = handler;
  subscribe(c, subject, NULL, 1);
  ping_and_wait(c);
  watch(c);
  return c;
}

static int by_value(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static float percentile(double share) {
  long index = (long)(share * answered);
  return latency_us[index < answered ? index : answered - 1];
}

static void print_result(double wall, struct usage before, struct usage after, double own_cpu) {
  double cpu = after.cpu_seconds - before.cpu_seconds;
  qsort(latency_us, answered, sizeof *latency_us, by_value);
  printf("{\"mode\":\"rr\",\"meanSizeBytes\":%d,\"pairs\":%d,\"requests\":%ld,\"wallSeconds\":%.4f,\"messagesPerSecond\":%.0f,"
         "\"p50Us\":%.1f,\"p90Us\":%.1f,\"p99Us\":%.1f,\"p999Us\":%.1f,\"maxUs\":%.0f,\"cpuSeconds\":%.4f,"
         "\"cpuNsPerMessage\":%.0f,\"cores\":%.3f,\"userSeconds\":%.2f,\"systemSeconds\":%.2f,\"rssKb\":%ld,"
         "\"generatorCores\":%.3f,\"generatorNsPerMessage\":%.0f}\n",
         opt.sizes[0], opt.publishers, answered, wall, answered / wall, percentile(.5), percentile(.9), percentile(.99),
         percentile(.999), latency_us[answered - 1], cpu, cpu / answered * 1e9, cpu / wall,
         after.user_seconds - before.user_seconds, after.system_seconds - before.system_seconds, after.rss_kb, own_cpu / wall,
         own_cpu / answered * 1e9);
}

void run_requests(void) {
  struct conn **requesters = calloc(opt.publishers, sizeof *requesters);
  latency_us = calloc(opt.messages, sizeof *latency_us);
  for (int i = 0; i < opt.publishers; i++) {
    open_side(opt.sub_port, i, "svc.%d", on_request);
    requesters[i] = open_side(opt.port, i, opt.unique_replies ? "_INBOX.%d.*" : "_INBOX.%d", on_reply);
  }
  await_route_interest();
  struct usage before = usage_of_servers();
  double own_before = own_cpu_seconds(), start = now();
  for (int i = 0; i < opt.publishers && asked < opt.messages; i++) ask(requesters[i]);
  while (answered < opt.messages) loop_turn(1000);
  double wall = now() - start, own_cpu = own_cpu_seconds() - own_before;
  struct usage after = usage_of_servers();
  check_nothing_more(requesters, opt.publishers, opt.messages, &answered);
  print_result(wall, before, after, own_cpu);
}
