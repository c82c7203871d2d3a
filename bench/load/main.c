// One run: reads the options, sets the deadline, runs one mode. The mode prints the result; a fault prints {"error": ...}.
#include "load.h"

#include <ctype.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

void die(const char *format, ...) {
  char text[512];
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof text, format, values);
  va_end(values);
  for (char *c = text; *c; c++)
    if (!isprint((unsigned char)*c) || *c == '"' || *c == '\\') *c = ' ';
  printf("{\"error\":\"%s\"}\n", text);
  exit(1);
}

static void on_deadline(int signal) {
  (void)signal;
  static const char text[] = "{\"error\":\"deadline passed: messages are missing or the server is stuck\"}\n";
  ssize_t ignored = write(STDOUT_FILENO, text, sizeof text - 1);
  (void)ignored;
  _exit(1);
}

static void allow_many_connections(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (opt.mode == MODE_IDLE && limit.rlim_cur < (rlim_t)opt.subscribers + 16)
    die("%d connections need more open files than the limit of %ld; raise it (ulimit -Hn)", opt.subscribers,
        (long)limit.rlim_cur);
}

int main(int argc, char **argv) {
  parse_options(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGALRM, on_deadline);
  alarm(opt.deadline_seconds);
  allow_many_connections();
  prepare_subjects();
  if (opt.calibrate) start_straw_server();
  open_loop();
  switch (opt.mode) {
    case MODE_PUB:
    case MODE_PUBSUB:
    case MODE_QUEUE: run_flow(); break;
    case MODE_RR: run_requests(); break;
    case MODE_IDLE: run_idle(); break;
    case MODE_SUBS: run_subscriptions(); break;
  }
  return 0;
}
