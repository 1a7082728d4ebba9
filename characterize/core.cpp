// Drives one layer through the accelerator's core: clock and streams run here, not in Python.
//
//   simulate DIR LIMIT SEED STALL_WEIGHTS STALL_IFMAPS STALL_OUTPUTS
//
// DIR holds descriptor.bin (uint32 a field), weights.bin and ifmaps.bin (beats, low byte first);
// outputs.bin and counts.json are written beside them, and progress.bin (uint64, the cycles so
// far) every now and then. A stall is the chance, in 1/256, that an end of a stream does nothing
// in a cycle. LIMIT is the number of cycles after which to give up. A model built with QUIDAM_WAVES
// also writes waves.fst.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "Vcore.h"
#include "fields.h"
#ifdef QUIDAM_WAVES
#include "verilated_fst_c.h"
#endif

namespace {

constexpr size_t kBeat = QUIDAM_BUS_BITS / 8;
constexpr uint64_t kReport = 1 << 17;  // cycles between reports of progress

std::vector<char> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(1);
  }
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A small generator of our own, so that a seed means the same stalls everywhere (xorshift32).
struct Chance {
  uint32_t state;
  bool operator()(int in_256) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return static_cast<int>((state >> 12) & 255) < in_256;
  }
};

// The sending end of a stream: once valid, it stays valid and unchanged until it is taken.
struct Source {
  std::vector<char> beats;
  int stall;
  size_t taken = 0;
  bool offering = false;

  template <typename Payload>
  void offer(Payload& payload, CData& valid, Chance& chance) {
    if (!offering && (taken + 1) * kBeat <= beats.size()) offering = !chance(stall);
    valid = offering;
    if (offering) std::memcpy(&payload, beats.data() + taken * kBeat, kBeat);
  }
  void clocked(bool ready) {
    if (offering && ready) {
      offering = false;
      ++taken;
    }
  }
};

}  // namespace

double sc_time_stamp() { return 0; }

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  const std::string dir = argv[1];
  const uint64_t limit = std::strtoull(argv[2], nullptr, 10);
  Chance chance{static_cast<uint32_t>(std::strtoul(argv[3], nullptr, 10)) * 2654435761u | 1u};
  Source weights{read_file(dir + "/weights.bin"), std::atoi(argv[4])};
  Source ifmaps{read_file(dir + "/ifmaps.bin"), std::atoi(argv[5])};
  const int stall_outputs = std::atoi(argv[6]);
  const std::vector<char> descriptor = read_file(dir + "/descriptor.bin");

  auto context = std::make_unique<VerilatedContext>();
  auto top = std::make_unique<Vcore>(context.get());
  size_t field = 0;
#define X(port)                                                  \
  {                                                              \
    uint32_t value;                                              \
    std::memcpy(&value, descriptor.data() + 4 * field++, 4);     \
    top->port = value;                                           \
  }
  QUIDAM_FIELDS(X)
#undef X

#ifdef QUIDAM_WAVES
  context->traceEverOn(true);
  VerilatedFstC waves;
  top->trace(&waves, 99);
  waves.open((dir + "/waves.fst").c_str());
#endif
  uint64_t half_cycles = 0;
  // Inputs have been set and settled; the edge ends the cycle.
  auto tick = [&] {
#ifdef QUIDAM_WAVES
    waves.dump(half_cycles);
#endif
    top->clk = 1;
    top->eval();
#ifdef QUIDAM_WAVES
    waves.dump(half_cycles + 1);
#endif
    top->clk = 0;
    half_cycles += 2;
  };
  top->clk = 0;
  top->rst = 1;
  top->eval();
  tick();
  top->rst = 0;
  top->start = 1;
  top->eval();
  tick();
  top->start = 0;

  std::ofstream outputs(dir + "/outputs.bin", std::ios::binary);
  std::ofstream progress(dir + "/progress.bin", std::ios::binary);
  uint64_t cycles = 0, input_stalls = 0, output_stalls = 0, output_beats = 0;
  for (;;) {
    weights.offer(top->weights_payload, top->weights_valid, chance);
    ifmaps.offer(top->ifmaps_payload, top->ifmaps_valid, chance);
    top->outputs_ready = !chance(stall_outputs);
    top->eval();
    if (!top->busy || cycles == limit) break;
    if (++cycles % kReport == 0) {
      progress.seekp(0).write(reinterpret_cast<const char*>(&cycles), sizeof cycles).flush();
    }
    input_stalls += (top->weights_ready && !top->weights_valid);
    input_stalls += (top->ifmaps_ready && !top->ifmaps_valid);
    output_stalls += (top->outputs_valid && !top->outputs_ready);
    if (top->outputs_valid && top->outputs_ready) {
      outputs.write(reinterpret_cast<const char*>(&top->outputs_payload), kBeat);
      ++output_beats;
    }
    weights.clocked(top->weights_ready);
    ifmaps.clocked(top->ifmaps_ready);
    tick();
  }
  outputs.close();
#ifdef QUIDAM_WAVES
  waves.close();
#endif
  std::FILE* counts = std::fopen((dir + "/counts.json").c_str(), "w");
  if (!outputs || !counts) {
    std::fprintf(stderr, "cannot write to %s\n", dir.c_str());
    return 1;
  }
  std::fprintf(counts,
               "{\"finished\": %s, \"cycles\": %llu, \"input_stalls\": %llu, "
               "\"output_stalls\": %llu, \"weight_beats\": %llu, \"ifmap_beats\": %llu, "
               "\"output_beats\": %llu}\n",
               top->busy ? "false" : "true", (unsigned long long)cycles,
               (unsigned long long)input_stalls, (unsigned long long)output_stalls,
               (unsigned long long)weights.taken, (unsigned long long)ifmaps.taken,
               (unsigned long long)output_beats);
  return std::fclose(counts) == 0 ? 0 : 1;
}
