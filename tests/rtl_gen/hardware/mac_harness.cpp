// Plays numbers into the input ports of `bench`, one a cycle, and keeps what its outputs were.
//
//   bench FOLDER CYCLES
//
// FOLDER/PORT.bin holds a number a cycle, in the type of Verilator's port: 1, 2, 4 or 8 bytes.
// Outputs are read just before the rising edge, with that cycle's inputs still there.
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <type_traits>
#include <vector>

#include "Vbench.h"
#include "ports.h"  // INPUTS(X), OUTPUTS(X)

template <typename Word>
std::vector<Word> numbers(const std::string& path, size_t cycles) {
    std::vector<Word> words(cycles);
    std::ifstream file(path, std::ios::binary);
    const auto bytes = static_cast<std::streamsize>(cycles * sizeof(Word));
    file.read(reinterpret_cast<char*>(words.data()), bytes);
    if (file.gcount() != bytes || file.peek() != EOF) {
        std::cerr << path << " must hold " << bytes << " bytes\n";
        std::exit(1);
    }
    return words;
}

template <typename Word>
void keep(const std::string& path, const std::vector<Word>& words) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(words.data()), words.size() * sizeof(Word));
    if (!file.flush()) std::exit(1);
}

int main(int argc, char** argv) {
    if (argc != 3) return 1;
    const std::string folder = std::string(argv[1]) + "/";
    const size_t cycles = std::stoull(argv[2]);
    VerilatedContext context;
    Vbench bench{&context};
#define WORD(port) std::remove_reference_t<decltype(bench.port)>
#define READ(port) const auto in_##port = numbers<WORD(port)>(folder + #port ".bin", cycles);
#define MAKE(port) std::vector<WORD(port)> out_##port(cycles);
#define PUT(port) bench.port = in_##port[cycle];
#define GET(port) out_##port[cycle] = bench.port;
#define KEEP(port) keep(folder + #port ".bin", out_##port);
    INPUTS(READ)
    OUTPUTS(MAKE)
    bench.rst = 0;
    for (size_t cycle = 0; cycle < cycles; ++cycle) {
        bench.clk = 0;
        INPUTS(PUT)
        bench.eval();
        OUTPUTS(GET)
        bench.clk = 1;
        bench.eval();
    }
    OUTPUTS(KEEP)
    return 0;
}
