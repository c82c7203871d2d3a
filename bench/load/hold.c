// Modes idle and subs: what a server pays for connections and subscriptions that do nothing. Both end by publishing, to show
// that what was held was alive.
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SAMPLES_MAX = 1000 };

static long delivered;

static void count_message(struct conn *c, const struct message *m) {
  (void)c;
  if (m->payload_len != 5 || memcmp(m->payload, "alive", 5)) die("payload damaged");
  delivered++;
}

static struct conn *open_holder(int id) {
  struct conn *c = connect_client(opt.port, id);
  c->on_message = count_message;
  watch(c);
  return c;
}

// Memory is read twice: `before` was taken before anything was opened, the rest after the hold.
static void print_result(struct usage before, double setup_seconds) {
  struct usage opened = usage_of_servers();
  loop_for(opt.hold_seconds);
  struct usage held = usage_of_servers();
  printf("{\"mode\":\"%s\",\"count\":%d,\"rssBeforeKb\":%ld,\"rssKb\":%ld,\"rssPerItemBytes\":%.0f,\"setupSeconds\":%.3f,"
         "\"setupCpuSeconds\":%.3f,\"holdCpuMsPerSecond\":%.2f",
         mode_name(), opt.subscribers, before.rss_kb, held.rss_kb, (held.rss_kb - before.rss_kb) * 1024.0 / opt.subscribers,
         setup_seconds, opened.cpu_seconds - before.cpu_seconds,
         opt.hold_seconds ? (held.cpu_seconds - opened.cpu_seconds) * 1000 / opt.hold_seconds : 0);
}

static void await_deliveries(long expected) {
  while (delivered < expected) loop_turn(1000);
  if (delivered > expected) die("%ld messages delivered, %ld expected", delivered, expected);
}

void run_idle(void) {
  struct conn **held = calloc(opt.subscribers, sizeof *held);
  struct usage before = usage_of_servers();
  double start = now();
  for (int i = 0; i < opt.subscribers; i++) {
    held[i] = open_holder(i);
    subscribe(held[i], "idle.topic", NULL, 1);
  }
  for (int i = 0; i < opt.subscribers; i++) ping_and_wait(held[i]);
  print_result(before, now() - start);
  double asked_at = now();
  send_now(held[0], "PUB idle.topic 5\r\nalive\r\n", 25);
  await_deliveries(opt.subscribers);
  printf(",\"broadcastMs\":%.1f}\n", (now() - asked_at) * 1000);
  // Reset instead of the usual close: thousands of ports would stay in TIME_WAIT and be missing in the next round.
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  for (int i = 0; i < opt.subscribers; i++) setsockopt(held[i]->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

void run_subscriptions(void) {
  struct usage before = usage_of_servers();
  double start = now();
  struct conn *holder = open_holder(0);
  char *lines = malloc((size_t)opt.subscribers * 64);
  size_t len = 0;
  for (int i = 0; i < opt.subscribers; i++)
    len += (size_t)sprintf(lines + len, "SUB orders.region%d.item%d.events %d\r\n", i % 100, i, i + 1);
  send_now(holder, lines, len);
  free(lines);
  ping_and_wait(holder);
  print_result(before, now() - start);
  int samples = opt.subscribers < SAMPLES_MAX ? opt.subscribers : SAMPLES_MAX;
  for (int s = 0; s < samples; s++) {
    int i = (int)((long)s * opt.subscribers / samples);
    char frame[128];
    int frame_len = snprintf(frame, sizeof frame, "PUB orders.region%d.item%d.events 5\r\nalive\r\n", i % 100, i);
    send_now(holder, frame, (size_t)frame_len);
  }
  await_deliveries(samples);
  printf(",\"checked\":%d}\n", samples);
}
