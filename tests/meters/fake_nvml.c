/* A libnvidia-ml.so.1 for tests: an analytic load, seen through a counter and sensors as NVML shows them.
 *
 * Everything it reports is computed from a control file that the test maps too (environment variable
 * FAKE_NVML_CONTROL), so that a virtual clock runs thousands of load cases without sleeping, and so that a test can
 * change the device while another process polls it. Only the public C interface that pynvml calls is here; each symbol
 * can be left out with -DOMIT_name, as older and partial libraries leave theirs out. nvmlInit itself is never exported:
 * torch's own code looks for it. The layout of struct control is mirrored in fake_nvml_control.py.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_DEVICES 10
#define MAX_PROCESSES 8
#define MAX_FAULTS 8
#define MAX_INSTANCES 7
#define TEXT 96

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6,
       INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, VERSION_MISMATCH = 25 };
enum { CONSTANT = 0, STEP = 1, SINE = 2, SQUARE = 3, PULSE = 4 };
enum { ANYONE = 0, OWNER_ONLY = 1, OTHERS_ONLY = 2 };

struct load { double base_w, high_w, period_s, phase_s, duty; int32_t kind, unused; };

struct device {
    char uuid[TEXT], name[TEXT], bus_id[32];
    int32_t mig_mode, mig_parent, temperature_c, instant_return, instant_type, zero_power;
    uint32_t limit_mw, num_processes, pids[MAX_PROCESSES];
    uint64_t reasons, memory_total, memory_reserved, memory_used, memory_used_later, counter_offset_mj;
    double memory_step_s, counter_period_s, counter_phase_s, counter_reset_s;
    double power_period_s, power_phase_s, boxcar_s, average_s;
    struct load load;
};

/* After `after` calls of `function` ("*": any function of a device) the next `times` (-1: all) hang and then fail. */
struct fault { char function[TEXT]; int32_t who, code; int64_t after, times, calls; double hang_s; };

struct control {
    uint32_t magic, owner_pid;
    int32_t virtual_clock, init_code, num_devices, num_faults;
    double now_s;
    char driver[TEXT];
    struct device devices[MAX_DEVICES];
    struct fault faults[MAX_FAULTS];
};

static struct control *control;

static double now(void) {
    if (control->virtual_clock) return control->now_s;
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double power_at(const struct load *load, double t) {
    double since = t - load->phase_s;
    switch (load->kind) {
    case STEP: return since >= 0 ? load->high_w : load->base_w;
    case SINE: return load->base_w + load->high_w * sin(2 * M_PI * since / load->period_s);
    case SQUARE: {
        double turns = since / load->period_s;
        return turns - floor(turns) < load->duty ? load->high_w : load->base_w;
    }
    case PULSE: return since >= 0 && since < load->period_s ? load->high_w : load->base_w;
    default: return load->base_w;
    }
}

/* An antiderivative of power_at, in joules; only differences mean something. */
static double energy_at(const struct load *load, double t) {
    double since = t - load->phase_s, extra = load->high_w - load->base_w;
    switch (load->kind) {
    case STEP: return load->base_w * t + (since > 0 ? extra * since : 0);
    case SINE:
        return load->base_w * t - load->high_w * load->period_s / (2 * M_PI) * cos(2 * M_PI * since / load->period_s);
    case SQUARE: {
        double turns = floor(since / load->period_s), rest = since - turns * load->period_s;
        double on = load->duty * load->period_s;
        return load->base_w * t + extra * (turns * on + (rest < on ? rest : on));
    }
    case PULSE:
        return load->base_w * t + extra * (since < 0 ? 0 : since > load->period_s ? load->period_s : since);
    default: return load->base_w * t;
    }
}

static double last_update(double t, double period, double phase) {
    /* The margin keeps an update at exactly t from being missed by rounding. */
    return period > 0 ? floor((t - phase) / period + 1e-9) * period + phase : t;
}

static unsigned power_mw(const struct device *device, double window_s) {
    if (device->zero_power) return 0;
    double update = last_update(now(), device->power_period_s, device->power_phase_s);
    double watts = window_s > 0
        ? (energy_at(&device->load, update) - energy_at(&device->load, update - window_s)) / window_s
        : power_at(&device->load, update);
    return (unsigned)llround(1000 * watts);
}

static uint64_t counter_mj(const struct device *device) {
    double update = last_update(now(), device->counter_period_s, device->counter_phase_s);
    double from = 0, reset = device->counter_reset_s;
    uint64_t offset = device->counter_offset_mj;
    if (reset > 0 && update >= reset) { from = reset; offset = 0; }
    double joules = energy_at(&device->load, update) - energy_at(&device->load, from);
    return offset + (uint64_t)(1000 * joules);
}

static uint64_t memory_used(const struct device *device) {
    return device->memory_step_s > 0 && now() >= device->memory_step_s ? device->memory_used_later
                                                                       : device->memory_used;
}

static void hang(double seconds) {
    struct timespec left = { (time_t)seconds, (long)(1e9 * (seconds - floor(seconds))) };
    while (nanosleep(&left, &left) != 0) {}
}

static int entered(const char *function, int of_device) {
    if (control == NULL) return UNINITIALIZED;
    int owner = (uint32_t)getpid() == control->owner_pid;
    for (int i = 0; i < control->num_faults; i++) {
        struct fault *fault = &control->faults[i];
        if (strcmp(fault->function, function) != 0 && !(of_device && strcmp(fault->function, "*") == 0)) continue;
        if ((fault->who == OWNER_ONLY && !owner) || (fault->who == OTHERS_ONLY && owner)) continue;
        int64_t calls = __atomic_add_fetch(&fault->calls, 1, __ATOMIC_SEQ_CST);
        if (calls <= fault->after || (fault->times >= 0 && calls > fault->after + fault->times)) continue;
        if (fault->hang_s > 0) hang(fault->hang_s);
        if (fault->code != SUCCESS) return fault->code;
    }
    return SUCCESS;
}

/* Handles are numbers, so that they stay valid whichever control file is mapped. */
static struct device *device_of(void *handle) {
    uintptr_t number = (uintptr_t)handle;
    return number >= 1 && number <= (uintptr_t)control->num_devices ? &control->devices[number - 1] : NULL;
}

#define ENTER() do { int code_ = entered(__func__, 0); if (code_) return code_; } while (0)
#define DEVICE() \
    int code_ = entered(__func__, 1); \
    if (code_) return code_; \
    struct device *device = device_of(handle); \
    if (device == NULL) return INVALID_ARGUMENT
#define WHOLE_GPU() DEVICE(); if (device->mig_parent >= 0) return NOT_SUPPORTED

static int copy_text(char *target, unsigned length, const char *source) {
    if (strlen(source) + 1 > length) return INSUFFICIENT_SIZE;
    strcpy(target, source);
    return SUCCESS;
}

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    const char *path = getenv("FAKE_NVML_CONTROL");
    if (path == NULL) return DRIVER_NOT_LOADED;
    int file = open(path, O_RDWR);
    if (file < 0) return DRIVER_NOT_LOADED;
    void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped == MAP_FAILED || ((struct control *)mapped)->magic != sizeof(struct control)) return DRIVER_NOT_LOADED;
    /* The old mapping stays: a thread that hangs in a call may still come back to it. */
    control = mapped;
    ENTER();
    return control->init_code;
}

int nvmlShutdown(void) { return control == NULL ? UNINITIALIZED : SUCCESS; }

#ifndef OMIT_nvmlSystemGetDriverVersion
int nvmlSystemGetDriverVersion(char *version, unsigned length) {
    ENTER();
    return copy_text(version, length, control->driver);
}
#endif

#ifndef OMIT_nvmlDeviceGetCount_v2
int nvmlDeviceGetCount_v2(unsigned *count) {
    ENTER();
    *count = 0;
    for (int i = 0; i < control->num_devices; i++) *count += control->devices[i].mig_parent < 0;
    return SUCCESS;
}
#endif

#ifndef OMIT_nvmlDeviceGetHandleByIndex_v2
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    ENTER();
    for (int i = 0; i < control->num_devices; i++) {
        if (control->devices[i].mig_parent >= 0) continue;
        if (index-- == 0) { *handle = (void *)(uintptr_t)(i + 1); return SUCCESS; }
    }
    return INVALID_ARGUMENT;
}
#endif

static int find(const char *text, size_t offset, void **handle) {
    for (int i = 0; i < control->num_devices; i++) {
        if (strcmp(text, (const char *)&control->devices[i] + offset) == 0) {
            *handle = (void *)(uintptr_t)(i + 1);
            return SUCCESS;
        }
    }
    return NOT_FOUND;
}

#ifndef OMIT_nvmlDeviceGetHandleByUUID
int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
    ENTER();
    return find(uuid, offsetof(struct device, uuid), handle);
}
#endif

#ifndef OMIT_nvmlDeviceGetHandleByPciBusId_v2
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, void **handle) {
    ENTER();
    return find(bus_id, offsetof(struct device, bus_id), handle);
}
#endif

#ifndef OMIT_nvmlDeviceGetUUID
int nvmlDeviceGetUUID(void *handle, char *uuid, unsigned length) {
    DEVICE();
    return copy_text(uuid, length, device->uuid);
}
#endif

#ifndef OMIT_nvmlDeviceGetName
int nvmlDeviceGetName(void *handle, char *name, unsigned length) {
    DEVICE();
    return copy_text(name, length, device->name);
}
#endif

struct pci_info {
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
};

#ifndef OMIT_nvmlDeviceGetPciInfo_v3
int nvmlDeviceGetPciInfo_v3(void *handle, struct pci_info *info) {
    WHOLE_GPU();
    memset(info, 0, sizeof *info);
    sscanf(device->bus_id, "%x:%x:%x", &info->domain, &info->bus, &info->device);
    return copy_text(info->bus_id, sizeof info->bus_id, device->bus_id);
}
#endif

#ifndef OMIT_nvmlDeviceGetPowerUsage
int nvmlDeviceGetPowerUsage(void *handle, unsigned *milliwatts) {
    WHOLE_GPU();
    *milliwatts = power_mw(device, device->average_s);
    return SUCCESS;
}
#endif

#ifndef OMIT_nvmlDeviceGetTotalEnergyConsumption
int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *millijoules) {
    WHOLE_GPU();
    *millijoules = counter_mj(device);
    return SUCCESS;
}
#endif

struct field_value {
    uint32_t field_id, scope_id;
    int64_t timestamp, latency;
    uint32_t value_type;
    int32_t nvml_return;
    union { double d; uint32_t ui; uint64_t ull; int32_t si; } value;
};

#ifndef OMIT_nvmlDeviceGetFieldValues
int nvmlDeviceGetFieldValues(void *handle, int count, struct field_value *values) {
    WHOLE_GPU();
    for (int i = 0; i < count; i++) {
        values[i].nvml_return = values[i].field_id == 186 && values[i].scope_id == 0 ? device->instant_return
                                                                                     : NOT_SUPPORTED;
        if (values[i].nvml_return != SUCCESS) continue;
        unsigned milliwatts = power_mw(device, device->boxcar_s);
        values[i].value_type = (uint32_t)device->instant_type;
        if (device->instant_type == 3) values[i].value.ull = milliwatts; else values[i].value.ui = milliwatts;
    }
    return SUCCESS;
}
#endif

struct memory { unsigned long long total, free, used; };

#ifndef OMIT_nvmlDeviceGetMemoryInfo
int nvmlDeviceGetMemoryInfo(void *handle, struct memory *memory) {
    DEVICE();
    memory->total = device->memory_total;
    memory->used = memory_used(device) + device->memory_reserved; /* as since driver 510 */
    memory->free = memory->total - memory->used;
    return SUCCESS;
}
#endif

struct memory_v2 { unsigned version; unsigned long long total, reserved, free, used; };

#ifndef OMIT_nvmlDeviceGetMemoryInfo_v2
int nvmlDeviceGetMemoryInfo_v2(void *handle, struct memory_v2 *memory) {
    DEVICE();
    if (memory->version != 0x02000028) return VERSION_MISMATCH;
    memory->total = device->memory_total;
    memory->reserved = device->memory_reserved;
    memory->used = memory_used(device);
    memory->free = memory->total - memory->reserved - memory->used;
    return SUCCESS;
}
#endif

struct process { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; };

#ifndef OMIT_nvmlDeviceGetComputeRunningProcesses_v3
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, struct process *processes) {
    DEVICE();
    unsigned room = *count;
    *count = device->num_processes;
    if (device->num_processes == 0) return SUCCESS;
    if (processes == NULL || room < device->num_processes) return INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < device->num_processes; i++) {
        processes[i] = (struct process){ device->pids[i], 1 << 20, 0xFFFFFFFF, 0xFFFFFFFF };
    }
    return SUCCESS;
}
#endif

#ifndef OMIT_nvmlDeviceGetCurrentClocksEventReasons
int nvmlDeviceGetCurrentClocksEventReasons(void *handle, unsigned long long *reasons) {
    WHOLE_GPU();
    *reasons = device->reasons;
    return SUCCESS;
}
#endif

#ifndef OMIT_nvmlDeviceGetEnforcedPowerLimit
int nvmlDeviceGetEnforcedPowerLimit(void *handle, unsigned *milliwatts) {
    WHOLE_GPU();
    *milliwatts = device->limit_mw;
    return device->limit_mw == 0 ? NOT_SUPPORTED : SUCCESS;
}
#endif

#ifndef OMIT_nvmlDeviceGetMigMode
int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending) {
    DEVICE();
    if (device->mig_parent >= 0) return INVALID_ARGUMENT;
    if (device->mig_mode < 0) return NOT_SUPPORTED;
    *current = *pending = (unsigned)device->mig_mode;
    return SUCCESS;
}
#endif

#ifndef OMIT_nvmlDeviceGetMaxMigDeviceCount
int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *count) {
    DEVICE();
    *count = device->mig_mode > 0 ? MAX_INSTANCES : 0;
    return SUCCESS;
}
#endif

#ifndef OMIT_nvmlDeviceGetMigDeviceHandleByIndex
int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **instance) {
    DEVICE();
    for (int i = 0; i < control->num_devices; i++) {
        if (control->devices[i].mig_parent != (int)(device - control->devices)) continue;
        if (index-- == 0) { *instance = (void *)(uintptr_t)(i + 1); return SUCCESS; }
    }
    return NOT_FOUND;
}
#endif

struct temperature { unsigned version, sensor; int celsius; };

#ifndef OMIT_nvmlDeviceGetTemperatureV
int nvmlDeviceGetTemperatureV(void *handle, struct temperature *temperature) {
    WHOLE_GPU();
    if (temperature->version != 0x100000C || temperature->sensor != 0) return INVALID_ARGUMENT;
    temperature->celsius = device->temperature_c;
    return SUCCESS;
}
#endif
