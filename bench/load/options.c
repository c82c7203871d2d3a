// The command line. Every value is checked here; the rest of the program trusts `opt`.
#include "load.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options opt = {
  .mode = MODE_PUB, .port = 4222, .messages = 1000000, .sizes = {16}, .size_count = 1, .publishers = 1,
  .subscribers = 1, .subjects = 1, .hold_seconds = 2, .deadline_seconds = 60,
};

static const char *const mode_names[] = {"pub", "pubsub", "queue", "rr", "idle", "subs"};
static const char *const fault_names[] = {"none", "swap", "duplicate", "gap", "corrupt", "subject", "short"};

static const char usage[] =
  "load: sends and checks messages over the NATS protocol, prints one line of JSON\n"
  "  --mode pub|pubsub|queue|rr|idle|subs\n"
  "  --host ADDRESS --port PORT   the server (127.0.0.1, 4222)\n"
  "  --sub-port PORT              subscribers and responders connect here instead (one hop between servers)\n"
  "  --pids PID[,PID]             processes whose CPU time and memory to report\n"
  "  --messages N                 per publisher; rr: requests in all\n"
  "  --size BYTES[,BYTES...]      payload lengths (8 to 65535), used in turn\n"
  "  --publishers N               rr: pairs; subscriber i listens to publisher i mod N\n"
  "  --subscribers N              idle: connections; subs: subscriptions of one connection\n"
  "  --subjects N                 subjects per publisher, used in turn; subscribers use a wildcard\n"
  "  --shared                     all publishers use one subject, every subscriber gets everything\n"
  "  --mapped                     publish to outer.…, which the server maps to the subjects of the subscribers\n"
  "  --websocket                  over WebSocket\n"
  "  --headers                    HPUB with two headers\n"
  "  --unique-replies             rr: a fresh reply subject for every request\n"
  "  --hold-seconds S             idle, subs: how long to hold before memory is read (2)\n"
  "  --deadline-seconds S         the run fails after this time (60)\n"
  "  --calibrate                  run against a stand-in server of this program: the generator's own limit\n"
  "  --fault swap|duplicate|gap|corrupt|subject|short   with --calibrate: the stand-in misbehaves\n";

static int choice(const char *what, const char *text, const char *const *names, int count) {
  for (int i = 0; i < count; i++)
    if (!strcmp(text, names[i])) return i;
  die("unknown %s '%s'; see --help", what, text);
}

static long number(const char *what, const char *text, long least, long most) {
  char *end;
  long value = strtol(text, &end, 10);
  if (*end || end == text || value < least || value > most)
    die("--%s takes a number from %ld to %ld, got '%s'", what, least, most, text);
  return value;
}

static int number_list(const char *what, char *text, int *into, int limit, long least, long most) {
  int count = 0;
  for (char *part = strtok(text, ","); part; part = strtok(NULL, ",")) {
    if (count == limit) die("--%s takes at most %d values", what, limit);
    into[count++] = number(what, part, least, most);
  }
  if (!count) die("--%s is empty", what);
  return count;
}

static const struct option long_options[] = {
  {"mode", 1, 0, 'm'}, {"host", 1, 0, 'H'}, {"port", 1, 0, 'p'}, {"sub-port", 1, 0, 'q'}, {"pids", 1, 0, 'P'},
  {"messages", 1, 0, 'n'}, {"size", 1, 0, 's'}, {"publishers", 1, 0, 'x'}, {"subscribers", 1, 0, 'y'},
  {"subjects", 1, 0, 'u'}, {"shared", 0, 0, 'S'}, {"mapped", 0, 0, 'M'}, {"headers", 0, 0, 'h'}, {"websocket", 0, 0, 'w'}, {"unique-replies", 0, 0, 'r'},
  {"hold-seconds", 1, 0, 'o'}, {"deadline-seconds", 1, 0, 'd'}, {"calibrate", 0, 0, 'c'}, {"fault", 1, 0, 'f'},
  {"help", 0, 0, '?'}, {0, 0, 0, 0},
};

static void take(int option, char *value) {
  switch (option) {
    case 'm': opt.mode = choice("mode", value, mode_names, 6); break;
    case 'H':
      if (inet_pton(AF_INET, value, &opt.host) != 1) die("--host takes an IPv4 address, got '%s'", value);
      break;
    case 'p': opt.port = number("port", value, 1, 65535); break;
    case 'q': opt.sub_port = number("sub-port", value, 1, 65535); break;
    case 'P': opt.pid_count = number_list("pids", value, opt.pids, PIDS_MAX, 1, 1L << 30); break;
    case 'n': opt.messages = number("messages", value, 1, 100000000); break;
    case 's': opt.size_count = number_list("size", value, opt.sizes, SIZES_MAX, PAYLOAD_MIN, PAYLOAD_MAX); break;
    case 'x': opt.publishers = number("publishers", value, 1, PUBLISHERS_MAX); break;
    case 'y': opt.subscribers = number("subscribers", value, 1, 1000000); break;
    case 'u': opt.subjects = number("subjects", value, 1, 10000); break;
    case 'S': opt.shared = true; break;
    case 'M': opt.mapped = true; break;
    case 'h': opt.headers = true; break;
    case 'w': opt.websocket = true; break;
    case 'r': opt.unique_replies = true; break;
    case 'o': opt.hold_seconds = number("hold-seconds", value, 0, 3600); break;
    case 'd': opt.deadline_seconds = number("deadline-seconds", value, 1, 3600); break;
    case 'c': opt.calibrate = true; break;
    case 'f': opt.fault = choice("fault", value, fault_names, 7); break;
    default: fputs(usage, stderr); exit(2);
  }
}

void parse_options(int argc, char **argv) {
  opt.host.s_addr = htonl(INADDR_LOOPBACK);
  for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) take(option, optarg);
  if (optind < argc) die("unexpected argument '%s'; see --help", argv[optind]);
  if (!opt.sub_port) opt.sub_port = opt.port;
  if (opt.mode == MODE_QUEUE) opt.shared = true;
  if (opt.shared && opt.subjects > 1) die("--shared goes with one subject");
  if (opt.mapped && opt.calibrate) die("--mapped needs a server that maps; the stand-in does not");
  if (opt.websocket && opt.calibrate) die("--websocket needs a server; the stand-in does not speak it");
  if (opt.websocket && opt.mode > MODE_QUEUE) die("--websocket goes with pub, pubsub and queue");
  if (opt.fault && !opt.calibrate) die("--fault needs --calibrate");
  if (opt.calibrate && opt.mode > MODE_RR) die("--calibrate measures pub, pubsub, queue and rr");
}

const char *mode_name(void) { return mode_names[opt.mode]; }
