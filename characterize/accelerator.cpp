// Drives one layer through a whole accelerator: registers over AXI4-Lite, then the streams, which
// never stall. The Verilog itself writes down what its ports and memories see (whole_rtl.py).
//
//   simulate DIR LIMIT
//
// DIR holds writes.bin (pairs of uint32: address, word), weights.bin and ifmaps.bin (beats, low
// byte first). Ends, with status 0, some cycles after the interrupt that says that the layer is
// done; with status 3 after LIMIT cycles.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "Vaccelerator.h"
#include "fields.h"

namespace {

constexpr size_t kBeat = QUIDAM_BUS_BITS / 8;
constexpr int kReset = 4;

std::vector<char> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(1);
  }
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The sending end of a stream; the last beat stays on the wires.
struct Source {
  std::vector<char> beats;
  size_t sent = 0;

  template <typename Payload>
  void offer(Payload& payload, CData& valid) {
    valid = (sent + 1) * kBeat <= beats.size();
    if (valid) std::memcpy(&payload, beats.data() + sent * kBeat, kBeat);
  }
};

// The manager's end of AXI4-Lite: one write after another, each answered before the next.
struct Writer {
  std::vector<uint32_t> words;
  size_t done = 0;
  bool address_sent = false, data_sent = false;

  void offer(Vaccelerator& top) {
    const bool more = done + 1 < words.size();
    top.s_axi_control_awvalid = more && !address_sent;
    top.s_axi_control_wvalid = more && !data_sent;
    top.s_axi_control_wstrb = 15;
    top.s_axi_control_bready = 1;
    top.s_axi_control_rready = 1;
    if (more) {
      top.s_axi_control_awaddr = words[done];
      top.s_axi_control_wdata = words[done + 1];
    }
  }
  void clocked(const Vaccelerator& top) {
    address_sent |= top.s_axi_control_awvalid && top.s_axi_control_awready;
    data_sent |= top.s_axi_control_wvalid && top.s_axi_control_wready;
    if (top.s_axi_control_bvalid) {
      done += 2;
      address_sent = data_sent = false;
    }
  }
};

}  // namespace

double sc_time_stamp() { return 0; }

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string dir = argv[1];
  const long limit = std::atol(argv[2]);
  Source weights{read_file(dir + "/weights.bin")};
  Source ifmaps{read_file(dir + "/ifmaps.bin")};
  const std::vector<char> bytes = read_file(dir + "/writes.bin");
  Writer writer{std::vector<uint32_t>(bytes.size() / sizeof(uint32_t))};
  std::memcpy(writer.words.data(), bytes.data(), bytes.size());

  auto context = std::make_unique<VerilatedContext>();
  auto top = std::make_unique<Vaccelerator>(context.get());
  long after = 0;
  for (long cycle = 0; cycle < limit; ++cycle) {
    top->clk = 0;
    top->rst = cycle < kReset;
    if (!top->rst) {
      writer.offer(*top);
      weights.offer(top->s_axis_weights_tdata, top->s_axis_weights_tvalid);
      ifmaps.offer(top->s_axis_ifmaps_tdata, top->s_axis_ifmaps_tvalid);
      top->m_axis_outputs_tready = 1;
    }
    top->eval();
    if (!top->rst) {
      writer.clocked(*top);
      weights.sent += top->s_axis_weights_tvalid && top->s_axis_weights_tready;
      ifmaps.sent += top->s_axis_ifmaps_tvalid && top->s_axis_ifmaps_tready;
    }
    after += top->irq;
    top->clk = 1;
    top->eval();
    if (after == QUIDAM_AFTER) {
      top->final();
      return 0;
    }
  }
  std::fprintf(stderr, "the layer was not done after %ld cycles\n", limit);
  return 3;
}
