// What the files of the load generator share: the options of a run, a connection, and the functions each file offers.
//
//   main.c       argument -> one mode -> one line of JSON
//   options.c    command line
//   conn.c       sockets, handshake, event loop
//   parse.c      bytes from a server -> messages and control lines
//   frames.c     the frames that are published, and the check that what arrives is what was sent
//   flow.c       modes pub, pubsub, queue
//   request.c    mode rr (request and reply, latencies)
//   hold.c       modes idle and subs (memory)
//   usage.c      processor time and memory of other processes
//   websocket.c  the upgrade and frames of WebSocket
//   straw.c      a stand-in server, to find out how fast the generator itself is
//
// The program is one thread. Every run ends: by its message count, or by the deadline (SIGALRM), or by the first fault.
#ifndef LOAD_H
#define LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
  PAYLOAD_MIN = 8,          // the head of a payload: sequence, publisher, size
  PAYLOAD_MAX = 65535,      // the size field of the head has 16 bits
  PUBLISHERS_MAX = 512,
  SIZES_MAX = 64,
  PIDS_MAX = 16,
  SUBJECT_MAX = 48,
  WRITE_BYTES = 64 * 1024,  // one write at most
  READ_BYTES = 256 * 1024,
  FRAME_HEAD = 8,           // WebSocket: of a frame of up to 64 KiB
  FRAME_BYTES = 16 * 1024,  // WebSocket: what clients put into one frame
};

enum mode { MODE_PUB, MODE_PUBSUB, MODE_QUEUE, MODE_RR, MODE_IDLE, MODE_SUBS };
enum fault { FAULT_NONE, FAULT_SWAP, FAULT_DUPLICATE, FAULT_GAP, FAULT_CORRUPT, FAULT_SUBJECT, FAULT_SHORT };

struct options {
  enum mode mode;
  struct in_addr host;
  int port;
  int sub_port;             // where subscribers and responders connect; another server for one hop
  int pids[PIDS_MAX];
  int pid_count;
  long messages;            // per publisher; mode rr: in all
  int sizes[SIZES_MAX];     // payload bytes, used in turn
  int size_count;
  int publishers;           // mode rr: pairs of requester and responder
  int subscribers;
  int subjects;             // per publisher
  bool shared;              // all publishers use one subject
  bool mapped;              // publishers use other subjects than subscribers: the server maps them
  bool headers;
  bool websocket;           // the ports are those of WebSocket
  bool unique_replies;      // a fresh reply subject per request, as client libraries do
  double hold_seconds;
  int deadline_seconds;
  bool calibrate;
  enum fault fault;
};

extern struct options opt;
void parse_options(int argc, char **argv);
const char *mode_name(void);

// ---- connections

struct message {
  const char *args;         // after "MSG " or "HMSG "
  size_t args_len;          // up to the end of the line, without CR LF
  const char *header;       // NULL without headers
  size_t header_len;
  const char *payload;
  size_t payload_len;
};

struct block;

struct conn {
  int fd;
  int id;
  long received;
  bool ponged;
  bool owes_pong;           // a publisher may answer a PING only between two frames
  char *carry;              // start of a frame whose end has not arrived
  size_t carry_len, carry_cap;
  uint64_t frame_left;      // WebSocket: of the frame that is arriving
  unsigned char frame_head[10];
  size_t frame_head_len;
  void (*on_message)(struct conn *, const struct message *);
  void (*on_writable)(struct conn *);
  bool wants_write;
  uint32_t *next_sequence;  // per publisher
  struct block *block;      // what a publisher sends
  char control[16];         // WebSocket: a PING or PONG in its frame
  const char *out;          // rest of what is being written
  size_t out_len;
  bool closing_ping_sent;
  uint32_t sequence;        // mode rr: of the last request
  double sent_at;
};

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
double now(void);

void open_loop(void);
struct conn *connect_client(int port, int id);
void subscribe(struct conn *, const char *subject, const char *queue, int sid);
void ping_and_wait(struct conn *);  // blocks until the server has handled all that was sent before
void watch(struct conn *);          // from here on the connection belongs to the event loop
void want_write(struct conn *, bool wanted);
void send_now(struct conn *, const char *bytes, size_t len);    // one line, or a few
void send_bytes(struct conn *, const char *bytes, size_t len);  // as they are
void loop_turn(int timeout_ms);
void loop_for(double seconds);
void await_route_interest(void);    // one hop: until each server knows what the other's clients subscribed to
void check_nothing_more(struct conn **, int count, long expected_total, long *received_total);

// Takes bytes that were just read in; calls on_message for whole frames and keeps the rest.
void receive(struct conn *);

// ---- WebSocket

void upgrade(struct conn *);
void write_frame_head(char *into, size_t len);
size_t frame_control(char *into, const char *bytes, size_t len);
size_t unframe(struct conn *, char *bytes, size_t len);

// ---- frames

struct slot {
  uint32_t payload, end;    // offsets in the block
  int size;
};

// A publisher's frames, laid out once; only the sequence numbers change from one use to the next. Frames fill one write;
// a block is longer only where one turn through all subjects and sizes is.
struct block {
  char *bytes;
  struct slot *slots;
  int frames;
  uint32_t *heads;          // WebSocket: where the heads of its frames are
  int head_count;
  int publisher;
  uint32_t next_sequence, stride, left;
};

void prepare_subjects(void);
const char *subject_of(int publisher, int index);
struct block *new_block(const char *op, int publisher, uint32_t first, uint32_t stride, uint32_t count);
size_t refill(struct block *);  // numbers the next frames; returns the bytes ready, 0 when all have been sent
void fill_payload(char *payload, uint32_t sequence, int publisher, int size);
void number_payload(char *payload, uint32_t sequence, int publisher, int size);
uint32_t check_payload(const char *payload, size_t len, int *publisher);
void check_publication(struct conn *, const struct message *, bool gaps_allowed);
int size_at(uint32_t sequence);
const char *header_block(size_t *len);

// ---- measuring

struct usage {
  double cpu_seconds, user_seconds, system_seconds;
  long rss_kb;
};
struct usage usage_of_servers(void);
double own_cpu_seconds(void);

// ---- modes

void run_flow(void);
void run_requests(void);
void run_idle(void);
void run_subscriptions(void);
void start_straw_server(void);  // forks; points the options at the child

#endif
