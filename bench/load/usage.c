// Processor time and memory of the servers under test, from /proc, and of this process.
//
// The sum of schedstat over a process's threads counts nanoseconds. It loses threads that ended, which servers hardly ever
// do; stat, which keeps them, counts only in steps of 10 ms. User and system shares come from stat.
#include "load.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static double scheduled_seconds(int pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *tasks = opendir(path);
  if (!tasks) die("process %d is gone or cannot be read", pid);
  double seconds = 0;
  for (struct dirent *entry; (entry = readdir(tasks));) {
    if (entry->d_name[0] == '.') continue;
    char file[sizeof path + 280];
    snprintf(file, sizeof file, "%s/%s/schedstat", path, entry->d_name);
    FILE *f = fopen(file, "r");
    if (!f) continue;
    unsigned long long ns;
    if (fscanf(f, "%llu", &ns) == 1) seconds += ns * 1e-9;
    fclose(f);
  }
  closedir(tasks);
  return seconds;
}

static void user_and_system(int pid, struct usage *u) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *f = fopen(path, "r");
  if (!f) return;
  text[fread(text, 1, sizeof text - 1, f)] = 0;
  fclose(f);
  const char *after_name = strrchr(text, ')');
  unsigned long user, system;
  if (after_name && sscanf(after_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2) {
    u->user_seconds += user / (double)sysconf(_SC_CLK_TCK);
    u->system_seconds += system / (double)sysconf(_SC_CLK_TCK);
  }
}

static long resident_kb(int pid) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *f = fopen(path, "r");
  if (!f) return 0;
  long kb = 0;
  while (fgets(line, sizeof line, f) && sscanf(line, "VmRSS: %ld", &kb) != 1) {}
  fclose(f);
  return kb;
}

struct usage usage_of_servers(void) {
  struct usage total = {0};
  for (int i = 0; i < opt.pid_count; i++) {
    total.cpu_seconds += scheduled_seconds(opt.pids[i]);
    user_and_system(opt.pids[i], &total);
    total.rss_kb += resident_kb(opt.pids[i]);
  }
  if (total.cpu_seconds == 0) total.cpu_seconds = total.user_seconds + total.system_seconds;
  return total;
}

double own_cpu_seconds(void) {
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}
