// A stand-in for NVIDIA's driver and runtime, under CuPy's real host code on a machine without a GPU.
//
// Memory is the host's, so copies and memsets are carried out, also those of a graph. Kernels and library calls are
// checked and counted, not run: results keep whatever the memory held (zeros when fresh). With FAKE_CUDA_RUN=1 modules
// are PTX and kernels run, when they are launched, on the CPU: engine.py. What the driver would refuse is refused here:
//   - a launch beyond the device's limits, of a function that the module lacks, or with memory of another device;
//   - a stream used while another device is current;
//   - whatever waits for the device, or copies to or from the host, while a stream is captured.
// FAKE_CUDA_GPUS makes several devices. FAKE_CUDA_LOG names a file that gets one line a call.
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <elf.h>
#include <sys/mman.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace {

std::recursive_mutex lock;

void say(const char* format, auto... values) {
    static FILE* file = [] {
        const char* path = getenv("FAKE_CUDA_LOG");
        return path && *path ? fopen(path, "a") : nullptr;
    }();
    if (!file) return;
    fprintf(file, format, values...);
    fputc('\n', file);
    fflush(file);
}

// ---- what is counted, in all and on each device ------------------------------------------------------------------
constexpr int DEVICES = 8;
enum Count { LAUNCHES, LIBRARY_CALLS, TO_HOST, TO_DEVICE, ON_DEVICE, MEMSETS, SYNCHRONIZATIONS, ALLOCATIONS, GRAPHS,
             GRAPH_NODES, COUNTS };
long counts[DEVICES][COUNTS];

// ---- devices -----------------------------------------------------------------------------------------------------
thread_local int current = 0;

int gpus() {
    static int number = [] {
        const char* text = getenv("FAKE_CUDA_GPUS");
        return text ? std::min(atoi(text), DEVICES) : 1;
    }();
    return number;
}

void count(Count what) { ++counts[current][what]; }

// ---- memory ------------------------------------------------------------------------------------------------------
struct Block { size_t size; int device; };
std::map<char*, Block> blocks;
size_t held = 0;
constexpr size_t CAPACITY = 6ull << 30;

// The device that a place in memory belongs to; -1 for what is no device memory.
int device_of(const void* place) {
    auto next = blocks.upper_bound((char*)place);
    if (next == blocks.begin()) return -1;
    auto& [start, block] = *--next;
    return (char*)place < start + block.size ? block.device : -1;
}

// ---- streams and their capture -----------------------------------------------------------------------------------
using Node = std::function<bool()>;  // of a graph: what is done when it is launched; false: it failed
struct Stream { int device; bool capturing = false, broken = false; std::vector<Node> nodes = {}; };
struct Graph { int device; std::vector<Node> nodes; };
int captures = 0;  // streams that are being captured

// CuPy's streams are ours; the numbers 0, 1 and 2 name the current device's default streams.
Stream* stream_of(const void* handle) { return (size_t)handle < 16 ? nullptr : (Stream*)handle; }

bool foreign(const Stream* stream) {
    if (!stream || stream->device == current) return false;
    say("!! a stream of device %d while device %d is current", stream->device, current);
    return true;
}

cudaError_t refuse(Stream* stream, const char* what) {
    say("!! %s during a capture", what);
    if (stream) stream->broken = true;
    return cudaErrorStreamCaptureUnsupported;
}

cudaError_t copy(void* to, const void* from, size_t size, cudaMemcpyKind kind, Stream* stream) {
    std::lock_guard guard(lock);
    if (kind == cudaMemcpyDefault) kind = device_of(to) < 0 ? cudaMemcpyDeviceToHost :
        device_of(from) < 0 ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToDevice;
    if (foreign(stream)) return cudaErrorInvalidResourceHandle;
    if (stream && stream->capturing) {
        if (kind != cudaMemcpyDeviceToDevice) return refuse(stream, "a copy to or from the host");
        stream->nodes.push_back([=] { return memmove(to, from, size), true; });
        return cudaSuccess;
    }
    say("copy of %zu bytes, kind %d", size, (int)kind);
    count(kind == cudaMemcpyHostToDevice ? TO_DEVICE : kind == cudaMemcpyDeviceToHost ? TO_HOST : ON_DEVICE);
    memmove(to, from, size);
    return cudaSuccess;
}

cudaError_t set(void* place, int value, size_t size, Stream* stream) {
    std::lock_guard guard(lock);
    if (foreign(stream)) return cudaErrorInvalidResourceHandle;
    if (device_of(place) != current) {
        say("!! memset of memory of device %d while device %d is current", device_of(place), current);
        return cudaErrorInvalidValue;
    }
    if (stream && stream->capturing) {
        stream->nodes.push_back([=] { return memset(place, value, size), true; });
        return cudaSuccess;
    }
    say("memset of %zu bytes", size);
    count(MEMSETS);
    memset(place, value, size);
    return cudaSuccess;
}

// ---- what runs kernels: engine.py --------------------------------------------------------------------------------
struct Engine {
    // The number of a kernel in a module's PTX, or -1. `parameters`: how many, then the offset and the size of each.
    int (*find)(const char* ptx, const char* name, int* parameters) = nullptr;
    // `sizes`: grid, block, shared memory, and of a cluster or zeros. False: it failed, and `failure` says why.
    bool (*run)(int kernel, const unsigned* sizes, const void* arguments) = nullptr;
    // A function of a library; false: it is not computed.
    bool (*call)(const char* name, const long* arguments, int size) = nullptr;
} engine;
thread_local std::string failure;

const char* explained(bool failed) { return failed ? failure.c_str() : "refused by the stand-in driver"; }

// ---- modules and kernels -----------------------------------------------------------------------------------------
struct Parameter { int offset, size; };
struct Function {
    std::string name;
    std::vector<Parameter> parameters;
    int kernel = -1;        // the engine's number
    int shared = 48 << 10;  // dynamic shared memory that it may use
};
// A cubin; PTX where it is run; or UNCOMPILED: then it has every function, and nothing is known of their parameters.
struct Module { std::string image; std::map<std::string, Function> functions; };
const std::string UNCOMPILED = "uncompiled";

// The bytes of a section of a cubin; empty where there is none of this name.
std::string section(const std::string& image, const std::string& name) {
    auto header = (const Elf64_Ehdr*)image.data();
    auto sections = (const Elf64_Shdr*)(image.data() + header->e_shoff);
    const char* names = image.data() + sections[header->e_shstrndx].sh_offset;
    for (int i = 0; i < header->e_shnum; ++i)
        if (names + sections[i].sh_name == name) return image.substr(sections[i].sh_offset, sections[i].sh_size);
    return "";
}

// A kernel's parameters, from the entries EIATTR_KPARAM_INFO (format 4, attribute 0x17) of its .nv.info:
// {index, ordinal:16 offset:16, flags with the size in bits 18 and up}.
std::vector<Parameter> parameters_in(const std::string& info) {
    std::map<int, Parameter> found;
    for (size_t at = 0; at + 4 <= info.size();) {
        unsigned char format = info[at], attribute = info[at + 1];
        unsigned short length;
        memcpy(&length, &info[at + 2], 2);
        at += 4;
        if (format != 4) continue;  // the value is in the entry itself
        if (attribute == 0x17) {
            unsigned words[3];
            memcpy(words, &info[at], 12);
            found[words[1] & 0xffff] = {(int)(words[1] >> 16), (int)(words[2] >> 18)};
        }
        at += length;
    }
    std::vector<Parameter> result;
    for (auto& [ordinal, parameter] : found) result.push_back(parameter);
    return result;
}

CUresult load(CUmodule* module, std::string image) {
    bool is_cubin = !image.compare(0, 4, "\177ELF");
    if (image != UNCOMPILED && is_cubin == !!engine.run) {
        failure = engine.run ? "the stand-in driver runs PTX, and this is a cubin" : "the module is no cubin";
        return say("!! %s", failure.c_str()), CUDA_ERROR_INVALID_IMAGE;
    }
    *module = (CUmodule) new Module{image, {}};
    return CUDA_SUCCESS;
}

// False where the module has no such kernel.
bool describe(const Module& module, Function& function) {
    if (module.image == UNCOMPILED) return true;
    if (engine.find) {
        static thread_local int numbers[1 + (1 << 16)];  // of at most 32 kB of parameters
        function.kernel = engine.find(module.image.c_str(), function.name.c_str(), numbers);
        for (int i = 0; function.kernel >= 0 && i < numbers[0]; ++i)
            function.parameters.push_back({numbers[1 + 2 * i], numbers[2 + 2 * i]});
        return function.kernel >= 0;
    }
    function.parameters = parameters_in(section(module.image, ".nv.info." + function.name));
    return !section(module.image, ".text." + function.name).empty();
}

size_t cubin_size(const char* image) {
    auto header = (const Elf64_Ehdr*)image;
    return std::max(header->e_shoff + (size_t)header->e_shentsize * header->e_shnum,
                    header->e_phoff + (size_t)header->e_phentsize * header->e_phnum);
}

// The arguments of a launch as they lie in the kernel's parameter memory.
std::string packed(const Function& function, void** arguments) {
    std::string bytes;
    for (size_t i = 0; arguments && i < function.parameters.size(); ++i) {
        auto [offset, size] = function.parameters[i];
        bytes.resize(offset);
        bytes.append((const char*)arguments[i], size);
    }
    return bytes;
}

// True when some parameter, or word of a structure passed by value, points into another device's memory.
bool has_foreign_memory(const Function& function, const std::string& arguments) {
    for (auto [offset, size] : function.parameters)
        for (int at = 0; at + 8 <= size && offset + at + 8 <= (int)arguments.size(); at += 8) {
            void* place;
            memcpy(&place, &arguments[offset + at], 8);
            int device = device_of(place);
            if (device >= 0 && device != current)
                return say("!! %s on device %d gets memory of device %d", function.name.c_str(), current, device), true;
        }
    return false;
}

}  // namespace

extern "C" {

// ---- for the tests -----------------------------------------------------------------------------------------------
long fake_cuda_count(int device, int what) { return counts[device][what]; }

// For engine.py.
void fake_cuda_engine(decltype(Engine::find) find, decltype(Engine::run) run, decltype(Engine::call) call) {
    engine = {find, run, call};
}
void fake_cuda_failure(const char* words) { failure = words; }

// What the stubs of cuBLAS, cuSOLVER and the others call; false: they refuse.
bool fake_cuda_library_call(const char* name, const long* arguments, int size) {
    std::unique_lock guard(lock);
    say("%s", name);
    count(LIBRARY_CALLS);
    guard.unlock();
    return !engine.call || engine.call(name, arguments, size);
}

// ---- the runtime -------------------------------------------------------------------------------------------------
const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
        case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
        case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
        case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
        case cudaErrorInvalidResourceHandle: return "cudaErrorInvalidResourceHandle";
        case cudaErrorNotSupported: return "cudaErrorNotSupported";
        case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
        case cudaErrorStreamCaptureInvalidated: return "cudaErrorStreamCaptureInvalidated";
        case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
        case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
        default: return "cudaErrorUnknown";
    }
}
const char* cudaGetErrorString(cudaError_t error) { return explained(error == cudaErrorLaunchFailure); }
cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) { return *version = CUDA_VERSION, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaGetDevice(int* device) { return *device = current, cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* number) { return *number = gpus(), cudaSuccess; }
cudaError_t cudaSetDevice(int device) {
    if (device < 0 || device >= gpus()) return cudaErrorInvalidDevice;
    current = device;
    return cudaSuccess;
}
cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) { return *can = 0, cudaSuccess; }

// An H100.
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
    memset(p, 0, sizeof *p);
    strcpy(p->name, "NVIDIA H100 (stand-in)");
    p->major = 9, p->minor = 0, p->warpSize = 32, p->multiProcessorCount = 132, p->l2CacheSize = 50 << 20;
    p->totalGlobalMem = CAPACITY, p->textureAlignment = 512;
    p->maxThreadsPerBlock = 1024, p->maxThreadsPerMultiProcessor = 2048;
    p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024, p->maxThreadsDim[2] = 64;
    p->maxGridSize[0] = 2147483647, p->maxGridSize[1] = p->maxGridSize[2] = 65535;
    p->regsPerBlock = p->regsPerMultiprocessor = 65536;
    p->sharedMemPerBlock = 48 << 10, p->sharedMemPerBlockOptin = 227 << 10, p->sharedMemPerMultiprocessor = 228 << 10;
    return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
    switch (attribute) {
        case cudaDevAttrComputeCapabilityMajor: *value = 9; break;
        case cudaDevAttrComputeCapabilityMinor: *value = 0; break;
        case cudaDevAttrMultiProcessorCount: *value = 132; break;
        case cudaDevAttrMaxThreadsPerBlock: case cudaDevAttrMaxBlockDimX: case cudaDevAttrMaxBlockDimY: *value = 1024; break;
        case cudaDevAttrMaxBlockDimZ: *value = 64; break;
        case cudaDevAttrMaxGridDimX: *value = 2147483647; break;
        case cudaDevAttrMaxGridDimY: case cudaDevAttrMaxGridDimZ: *value = 65535; break;
        case cudaDevAttrMaxSharedMemoryPerBlock: *value = 48 << 10; break;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 227 << 10; break;
        case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = 228 << 10; break;
        case cudaDevAttrMaxThreadsPerMultiProcessor: *value = 2048; break;
        case cudaDevAttrMaxRegistersPerBlock: case cudaDevAttrMaxRegistersPerMultiprocessor: *value = 65536; break;
        case cudaDevAttrWarpSize: *value = 32; break;
        case cudaDevAttrL2CacheSize: *value = 50 << 20; break;
        default: *value = 1;
    }
    return cudaSuccess;
}

cudaError_t cudaMalloc(void** place, size_t size) {
    std::lock_guard guard(lock);
    size_t whole = (size + 4095) / 4096 * 4096;
    if (held + whole > CAPACITY) return cudaErrorMemoryAllocation;
    *place = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (*place == MAP_FAILED) return cudaErrorMemoryAllocation;
    blocks[(char*)*place] = {whole, current};
    held += whole;
    count(ALLOCATIONS);
    return cudaSuccess;
}
cudaError_t cudaFree(void* place) {
    std::lock_guard guard(lock);
    auto found = blocks.find((char*)place);
    if (found == blocks.end()) return place ? cudaErrorInvalidValue : cudaSuccess;
    munmap(place, found->second.size);
    held -= found->second.size;
    blocks.erase(found);
    return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** place, size_t size, unsigned) {
    *place = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
    return *place ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFreeHost(void* place) { return free(place), cudaSuccess; }
cudaError_t cudaMemGetInfo(size_t* unused, size_t* total) {
    return *unused = CAPACITY - held, *total = CAPACITY, cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* place) {
    std::lock_guard guard(lock);
    int device = device_of(place);
    *attributes = {};
    attributes->type = device < 0 ? cudaMemoryTypeUnregistered : cudaMemoryTypeDevice;
    attributes->device = device < 0 ? current : device;
    attributes->devicePointer = device < 0 ? nullptr : (void*)place;
    return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t size, cudaMemcpyKind kind) {
    if (captures) return refuse(nullptr, "a synchronous copy");
    return copy(to, from, size, kind, nullptr);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind kind, cudaStream_t stream) {
    return copy(to, from, size, kind, stream_of(stream));
}
cudaError_t cudaMemcpyPeer(void* to, int, const void* from, int, size_t size) {
    return copy(to, from, size, cudaMemcpyDeviceToDevice, nullptr);
}
cudaError_t cudaMemcpyPeerAsync(void* to, int, const void* from, int, size_t size, cudaStream_t stream) {
    return copy(to, from, size, cudaMemcpyDeviceToDevice, stream_of(stream));
}
cudaError_t cudaMemset(void* place, int value, size_t size) { return set(place, value, size, nullptr); }
cudaError_t cudaMemsetAsync(void* place, int value, size_t size, cudaStream_t stream) {
    return set(place, value, size, stream_of(stream));
}

cudaError_t cudaDeviceSynchronize() {
    if (captures) return refuse(nullptr, "a wait for the device");
    say("wait for the device");
    return count(SYNCHRONIZATIONS), cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) {
    return *stream = (cudaStream_t) new Stream{current}, cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    return *stream = (cudaStream_t) new Stream{current}, cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) { return *stream = (cudaStream_t) new Stream{current}, cudaSuccess; }
cudaError_t cudaStreamDestroy(cudaStream_t stream) { return delete stream_of(stream), cudaSuccess; }
cudaError_t cudaStreamQuery(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    Stream* stream = stream_of(handle);
    if (stream && stream->capturing) return refuse(stream, "a wait for the stream");
    say("wait for a stream");
    return count(SYNCHRONIZATIONS), cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode) {
    Stream* stream = stream_of(handle);
    if (!stream) return cudaErrorStreamCaptureUnsupported;  // the default stream
    if (foreign(stream)) return cudaErrorInvalidResourceHandle;
    *stream = {stream->device, true};
    ++captures;
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
    Stream* stream = stream_of(handle);
    stream->capturing = false;
    --captures;
    say("capture of %zu nodes%s", stream->nodes.size(), stream->broken ? ", broken" : "");
    *graph = stream->broken ? nullptr : (cudaGraph_t) new Graph{stream->device, stream->nodes};
    return stream->broken ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
    Stream* stream = stream_of(handle);
    *status = stream && stream->capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
    return *executable = (cudaGraphExec_t)graph, cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t) { return cudaSuccess; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t) { return cudaSuccess; }
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
    auto graph = (Graph*)executable;
    if (foreign(stream_of(stream)) || graph->device != current) {
        say("!! a graph of device %d launched on device %d", graph->device, current);
        return cudaErrorInvalidResourceHandle;
    }
    say("graph of %zu nodes", graph->nodes.size());
    counts[current][GRAPH_NODES] += graph->nodes.size();
    count(GRAPHS);
    for (auto& node : graph->nodes)
        if (!node()) return cudaErrorLaunchFailure;
    return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return *event = (cudaEvent_t) new int(current), cudaSuccess; }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return cudaEventCreate(event); }
cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete (int*)event, cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    return foreign(stream_of(stream)) || *(int*)event != current ? cudaErrorInvalidResourceHandle : cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return count(SYNCHRONIZATIONS), cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
    return *milliseconds = 1, cudaSuccess;
}

// ---- the driver --------------------------------------------------------------------------------------------------
// cuInit fails, so that libraries with a runtime of their own inside (CUB, Thrust) do not start.
CUresult cuInit(unsigned) { return CUDA_ERROR_NO_DEVICE; }
CUresult cuDriverGetVersion(int* version) { return *version = CUDA_VERSION, CUDA_SUCCESS; }
CUresult cuGetErrorName(CUresult error, const char** name) {
    *name = error == CUDA_ERROR_INVALID_VALUE ? "CUDA_ERROR_INVALID_VALUE" :
            error == CUDA_ERROR_NOT_FOUND ? "CUDA_ERROR_NOT_FOUND" :
            error == CUDA_ERROR_INVALID_IMAGE ? "CUDA_ERROR_INVALID_IMAGE" :
            error == CUDA_ERROR_ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS" :
            error == CUDA_ERROR_LAUNCH_FAILED ? "CUDA_ERROR_LAUNCH_FAILED" :
            error == CUDA_ERROR_INVALID_CLUSTER_SIZE ? "CUDA_ERROR_INVALID_CLUSTER_SIZE" :
            error == CUDA_ERROR_INVALID_HANDLE ? "CUDA_ERROR_INVALID_HANDLE" : "CUDA_ERROR_UNKNOWN";
    return CUDA_SUCCESS;
}
CUresult cuGetErrorString(CUresult error, const char** text) {
    *text = explained(error == CUDA_ERROR_LAUNCH_FAILED || error == CUDA_ERROR_INVALID_IMAGE);
    return CUDA_SUCCESS;
}
CUresult cuCtxGetCurrent(CUcontext* context) { return *context = (CUcontext)(size_t)(16 + current), CUDA_SUCCESS; }
CUresult cuCtxSetCurrent(CUcontext) { return CUDA_SUCCESS; }
CUresult cuCtxGetDevice(CUdevice* device) { return *device = current, CUDA_SUCCESS; }
CUresult cuModuleLoad(CUmodule* module, const char* path) {
    FILE* file = fopen(path, "rb");
    if (!file) return CUDA_ERROR_FILE_NOT_FOUND;
    std::string image;
    char buffer[65536];
    while (size_t size = fread(buffer, 1, sizeof buffer, file)) image.append(buffer, size);
    fclose(file);
    return load(module, image);
}
CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    auto bytes = (const char*)image;
    return load(module, memcmp(bytes, "\177ELF", 4) ? std::string(bytes) : std::string(bytes, cubin_size(bytes)));
}
CUresult cuModuleUnload(CUmodule) { return CUDA_SUCCESS; }
CUresult cuModuleGetFunction(CUfunction* function, CUmodule handle, const char* name) {
    std::unique_lock guard(lock);
    auto module = (Module*)handle;
    auto found = module->functions.find(name);
    if (found == module->functions.end()) {
        Function wanted{name};
        guard.unlock();  // Python answers, and another of its threads may wait for this lock
        if (!describe(*module, wanted)) return say("!! the module has no function %s", name), CUDA_ERROR_NOT_FOUND;
        guard.lock();
        found = module->functions.emplace(name, wanted).first;
    }
    *function = (CUfunction)&found->second;
    return CUDA_SUCCESS;
}
}  // extern "C"

namespace {

// `cluster`: its sizes, where the launch says them; else zeros.
CUresult launch(CUfunction handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                unsigned shared, CUstream stream_handle, void** parameters, std::array<unsigned, 3> cluster) {
    std::unique_lock guard(lock);
    auto& function = *(Function*)handle;
    Stream* stream = stream_of(stream_handle);
    say("%s on device %d: grid %u %u %u, block %u %u %u, shared %u", function.name.c_str(), current, gx, gy, gz, bx,
        by, bz, shared);
    if (!gx || !gy || !gz || !bx || !by || !bz || gx > 2147483647u || gy > 65535 || gz > 65535 || bz > 64 ||
        (unsigned long)bx * by * bz > 1024 || (int)shared > function.shared)
        return say("!! beyond the device's limits"), CUDA_ERROR_INVALID_VALUE;
    auto [cx, cy, cz] = cluster;
    if (cx | cy | cz && (!cx || !cy || !cz || cx * cy * cz > 16 || gx % cx || gy % cy || gz % cz))
        return say("!! clusters of %u %u %u in this grid", cx, cy, cz), CUDA_ERROR_INVALID_CLUSTER_SIZE;
    if (foreign(stream)) return CUDA_ERROR_INVALID_HANDLE;
    Node node = [kernel = function.kernel, sizes = std::array{gx, gy, gz, bx, by, bz, shared, cx, cy, cz},
                 arguments = packed(function, parameters)] {
        return kernel < 0 || engine.run(kernel, sizes.data(), arguments.data());
    };
    if (has_foreign_memory(function, packed(function, parameters))) return CUDA_ERROR_ILLEGAL_ADDRESS;
    if (stream && stream->capturing) return stream->nodes.push_back(node), CUDA_SUCCESS;
    count(LAUNCHES);
    guard.unlock();
    return node() ? CUDA_SUCCESS : CUDA_ERROR_LAUNCH_FAILED;
}

}  // namespace

extern "C" {

CUresult cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                        unsigned bz, unsigned shared, CUstream stream, void** parameters, void**) {
    return launch(function, gx, gy, gz, bx, by, bz, shared, stream, parameters, {});
}
CUresult cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction function, void** parameters, void**) {
    std::array<unsigned, 3> cluster{};
    for (unsigned i = 0; i < config->numAttrs; ++i)
        if (auto& each = config->attrs[i]; each.id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
            cluster = {each.value.clusterDim.x, each.value.clusterDim.y, each.value.clusterDim.z};
    return launch(function, config->gridDimX, config->gridDimY, config->gridDimZ, config->blockDimX, config->blockDimY,
                  config->blockDimZ, config->sharedMemBytes, config->hStream, parameters, cluster);
}
CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                                   unsigned bz, unsigned shared, CUstream stream, void** parameters) {
    return cuLaunchKernel(function, gx, gy, gz, bx, by, bz, shared, stream, parameters, nullptr);
}
CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction function) {
    *value = attribute == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? 1024 :
             attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES ? ((Function*)function)->shared : 32;
    return CUDA_SUCCESS;
}
CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
    if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) return CUDA_SUCCESS;
    if (value > 227 << 10) return CUDA_ERROR_INVALID_VALUE;
    ((Function*)function)->shared = value;
    return CUDA_SUCCESS;
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* number, CUfunction, int, size_t) {
    return *number = 2, CUDA_SUCCESS;
}
CUresult cuOccupancyMaxPotentialBlockSize(int* grid, int* block, CUfunction, CUoccupancyB2DSize, size_t, int) {
    return *grid = 264, *block = 256, CUDA_SUCCESS;
}
// The rules of the driver's own documentation, of arrays without interleave.
CUresult cuTensorMapEncodeTiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* address,
                                const cuuint64_t* sizes, const cuuint64_t* steps, const cuuint32_t* box,
                                const cuuint32_t* element_steps, CUtensorMapInterleave interleave,
                                CUtensorMapSwizzle swizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill) {
    const int bytes_of_types[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
    if ((size_t)map % 64 || type < 0 || type > 12 || rank < 1 || rank > 5 || (size_t)address % 16 || interleave)
        return CUDA_ERROR_INVALID_VALUE;
    for (cuuint32_t i = 0; i < rank; ++i)
        if (sizes[i] < 1 || sizes[i] > 1ull << 32 || box[i] < 1 || box[i] > 256 || element_steps[i] < 1 ||
            element_steps[i] > 8 || (i > 0 && (steps[i - 1] % 16 || steps[i - 1] >= 1ull << 40)))
            return CUDA_ERROR_INVALID_VALUE;
    const int row = box[0] * bytes_of_types[type], most = swizzle ? 16 << swizzle : 1 << 30;
    if (row % 16 || row > most) return CUDA_ERROR_INVALID_VALUE;
    // As the engine reads it: gpunet/sim/descriptors.py.
    auto of = [&](cuuint32_t i) { return i < rank ? (cuuint32_t)sizes[i] : 1; };
    auto step = [&](cuuint32_t i) { return i + 1 < rank ? steps[i] : 0; };
    struct {
        void* address; cuuint32_t columns, rows; cuuint64_t pitch; cuuint32_t box_columns, box_rows, item, swizzle;
        cuuint32_t matrices[2], dimensions, tf32; cuuint64_t steps[2];
    } fields = {address, of(0), of(1), step(0), box[0], rank > 1 ? box[1] : 1, (cuuint32_t)bytes_of_types[type],
                swizzle ? 16u << swizzle : 0, {of(2), of(3)}, rank, type == CU_TENSOR_MAP_DATA_TYPE_TFLOAT32,
                {step(1), step(2)}};
    memset(map, 0, sizeof *map);
    return memcpy(map, &fields, sizeof fields), CUDA_SUCCESS;
}

}  // extern "C"
