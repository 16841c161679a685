/* Makes a program believe that the machine has $MANY_CORES processors: preloaded by tests/host/test_many_cores.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int cores = 1;

__attribute__((constructor)) static void read_once(void) {
    const char *told = getenv("MANY_CORES"); /* a worker's environment is cleared later */
    if (told) cores = atoi(told);
}

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set) {
    (void)pid;
    memset(set, 0, size);
    for (int core = 0; core < cores && (size_t)core < size * 8; core++) CPU_SET_S(core, size, set);
    return 0;
}

int pthread_getaffinity_np(pthread_t thread, size_t size, cpu_set_t *set) {
    (void)thread;
    return sched_getaffinity(0, size, set);
}

int get_nprocs(void) { return cores; }

int get_nprocs_conf(void) { return cores; }

long sysconf(int name) {
    static long (*real)(int);
    if (name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF) return cores;
    if (!real) real = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
    return real(name);
}
