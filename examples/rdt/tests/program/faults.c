/* Faults of system calls, for the tests of the program: a library for LD_PRELOAD.
 *
 * The file named by FAULTS has an entry for each call of the first enumeration, in its order: the error number, the
 * number of calls that fail with it (-1: all), the delay of each call in milliseconds, the number of calls seen, and how
 * many of these never fail. The test writes all but the fourth while the program runs; a call that waits takes note of a shorter delay. Reads and writes
 * of pipes and the like never fail. The program makes syncfs without the C library: the kernel asks a thread of this
 * library about each.
 *
 * ADDRESSES has the numeric addresses of every name that the program looks up.
 *
 * OUTSIDE is a path that the program opens when it receives for the first time. The result is printed: the error number
 * or 0, and the version of Landlock that the kernel has, or -1.
 *
 * KILL_AT has the numbers of two system calls: the kernel kills the program when it makes one of them.
 *
 * No file system tells where content lies, unless WRITE_OUT is set: then the program flushes all content, whatever the
 * disk of the tests is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { RECVMMSG, SENDMSG, EPOLL_WAIT, EPOLL_CTL, FSYNC, READ, WRITE, SYNCFS, PREAD, CALLS };

struct entry {
    int error, count, delay_ms, seen, spared;
};

static struct entry *entries;

static int fails(int call);

/* Answers the questions of the kernel whether a call may go on. */
static void *answer(void *argument) {
    int listener = (int)(long)argument;
    for (;;) {
        struct seccomp_notif question;
        memset(&question, 0, sizeof question);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question)) {
            if (errno == EINTR || errno == ENOENT) continue;
            return NULL;
        }
        struct seccomp_notif_resp reply = {.id = question.id};
        if (fails(SYNCFS)) reply.error = -errno;
        else reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
    }
}

/* Lets the kernel ask about each syncfs. */
static void ask_about_syncfs(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_syncfs, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    pthread_t thread;
    if (listener < 0 || pthread_create(&thread, NULL, answer, (void *)listener)) _exit(98);
}

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FAULTS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file >= 0) {
        void *map = mmap(NULL, CALLS * sizeof(struct entry), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        entries = map == MAP_FAILED ? NULL : map;
        close(file);
        ask_about_syncfs();
    }
    const char *numbers = getenv("KILL_AT");
    if (numbers) {
        char *second;
        unsigned one = strtoul(numbers, &second, 10), other = strtoul(second, NULL, 10);
        struct sock_filter filter[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, one, 1, 0),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, other, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) _exit(99);
    }
}

/* Delays the call, and returns whether it fails. */
static int fails(int call) {
    if (!entries) return 0;
    struct entry *entry = &entries[call];
    int number = __atomic_add_fetch(&entry->seen, 1, __ATOMIC_SEQ_CST);
    long begin = 0;
    for (int delay; (delay = __atomic_load_n(&entry->delay_ms, __ATOMIC_SEQ_CST)) > 0;) {
        struct timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        long now = time.tv_sec * 1000000L + time.tv_nsec / 1000;
        if (!begin) begin = now;
        long left = begin + delay * 1000L - now;
        if (left <= 0) break;
        if (left > 10000) left = 10000;
        nanosleep(&(struct timespec){0, left * 1000}, NULL);
    }
    if (number <= __atomic_load_n(&entry->spared, __ATOMIC_SEQ_CST)) return 0;
    int count = __atomic_load_n(&entry->count, __ATOMIC_SEQ_CST);
    while (count > 0 && !__atomic_compare_exchange_n(&entry->count, &count, count - 1, 0, __ATOMIC_SEQ_CST,
                                                     __ATOMIC_SEQ_CST))
        ;
    if (!count) return 0;
    errno = __atomic_load_n(&entry->error, __ATOMIC_SEQ_CST);
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void open_outside(void) {
    static int opened;
    const char *path = getenv("OUTSIDE");
    if (!path || __atomic_exchange_n(&opened, 1, __ATOMIC_SEQ_CST)) return;
    int file = open(path, O_RDONLY | O_CLOEXEC), error = file < 0 ? errno : 0;
    if (file >= 0) close(file);
    /* The number of landlock_create_ruleset is the same on all architectures. The flag asks for the version. */
    long version = syscall(444, NULL, 0, 1);
    dprintf(STDERR_FILENO, "outside: %d, landlock: %ld\n", error, version);
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *limit) {
    open_outside();
    return fails(RECVMMSG) ? -1 : REAL(recvmmsg)(fd, messages, count, flags, limit);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    return fails(SENDMSG) ? -1 : REAL(sendmsg)(fd, message, flags);
}

int epoll_wait(int poll, struct epoll_event *events, int count, int limit) {
    return fails(EPOLL_WAIT) ? -1 : REAL(epoll_wait)(poll, events, count, limit);
}

int epoll_ctl(int poll, int action, int fd, struct epoll_event *event) {
    return fails(EPOLL_CTL) ? -1 : REAL(epoll_ctl)(poll, action, fd, event);
}

int fsync(int fd) { return fails(FSYNC) ? -1 : REAL(fsync)(fd); }

int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (request == 0xC020660B /* FS_IOC_FIEMAP */ && !getenv("WRITE_OUT")) {
        errno = ENOTTY;
        return -1;
    }
    return REAL(ioctl)(fd, request, argument);
}

static int is_file(int fd) {
    struct stat status;
    return !fstat(fd, &status) && S_ISREG(status.st_mode);
}

ssize_t read(int fd, void *bytes, size_t count) {
    return is_file(fd) && fails(READ) ? -1 : REAL(read)(fd, bytes, count);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t offset) {
    return is_file(fd) && fails(PREAD) ? -1 : REAL(pread64)(fd, bytes, count, offset);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    return is_file(fd) && fails(WRITE) ? -1 : REAL(write)(fd, bytes, count);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    const char *addresses = getenv("ADDRESSES");
    if (!addresses) return REAL(getaddrinfo)(name, service, hints, found);
    char list[256], *rest = NULL;
    strncpy(list, addresses, sizeof list - 1);
    list[sizeof list - 1] = 0;
    *found = NULL;
    for (char *address = strtok_r(list, " ", &rest); address; address = strtok_r(NULL, " ", &rest)) {
        /* Each address is an entry of its own, so the entries may be joined. */
        int error = REAL(getaddrinfo)(address, service, hints, found);
        if (error) return error;
        while (*found) found = &(*found)->ai_next;
    }
    return 0;
}
