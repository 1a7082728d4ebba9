// Plays one layer into the accelerator's core, under any Verilog-2005 simulator.
//
// layer.vh says BUS_BITS, FIELDS, WEIGHTS and IFMAPS (words of the files), STALL_IN and STALL_OUT
// (in 1/256), SEED, LIMIT (cycles), and LAYER, the connections of the descriptor's ports to
// `fields`. Whatever a stream does not offer is x: an accelerator that looks at it goes wrong.
`include "layer.vh"

module testbench;
  reg clk = 1'b0;
  reg rst = 1'b1;
  reg start = 1'b0;
  reg described = 1'b0;
  wire busy;

  reg  [31:0] descriptor [0:`FIELDS - 1];
  wire [32 * `FIELDS - 1:0] fields;
  genvar field;
  generate
    for (field = 0; field < `FIELDS; field = field + 1) begin : every_field
      assign fields[32 * field +: 32] = described ? descriptor[field] : 32'bx;
    end
  endgenerate

  // One word more than there are: a memory of none is not legal.
  reg  [`BUS_BITS - 1:0] weights [0:`WEIGHTS];
  reg  [`BUS_BITS - 1:0] ifmaps [0:`IFMAPS];
  integer weight = 0, ifmap = 0;
  reg  weights_valid = 1'b0, ifmaps_valid = 1'b0, outputs_ready = 1'b0;
  wire weights_ready, ifmaps_ready, outputs_valid, last;
  wire [`BUS_BITS - 1:0] weights_payload = weights_valid ? weights[weight] : {`BUS_BITS{1'bx}};
  wire [`BUS_BITS - 1:0] ifmaps_payload = ifmaps_valid ? ifmaps[ifmap] : {`BUS_BITS{1'bx}};
  wire [`BUS_BITS - 1:0] outputs_payload;

  core dut (
    .clk(clk), .rst(rst), .start(start), .busy(busy), .last(last),
    .weights_payload(weights_payload), .weights_valid(weights_valid),
    .weights_ready(weights_ready),
    .ifmaps_payload(ifmaps_payload), .ifmaps_valid(ifmaps_valid), .ifmaps_ready(ifmaps_ready),
    .outputs_payload(outputs_payload), .outputs_valid(outputs_valid),
    .outputs_ready(outputs_ready),
    `LAYER
  );

  always #1 clk = ~clk;

  integer outputs, seed = `SEED, cycles = 0, taken = 0;
  reg running = 1'b0, was_waiting = 1'b0, was_last;
  reg [`BUS_BITS - 1:0] was_payload;

  function integer stalled(input integer chance);
    stalled = $unsigned($random(seed)) % 256 < chance;
  endfunction

  initial begin
    $readmemh("descriptor.hex", descriptor);
    $readmemh("weights.hex", weights);
    $readmemh("ifmaps.hex", ifmaps);
    outputs = $fopen("outputs.hex", "w");
    repeat (2) @(negedge clk);
    rst = 1'b0;
    // Nobody has to hold the descriptor before the start.
    repeat (3) @(negedge clk);
    start = 1'b1;
    described = 1'b1;
    running = 1'b1;
    @(negedge clk);
    start = 1'b0;
  end

  // The ends of the streams decide between the edges; an offer stands until it is taken.
  always @(negedge clk) if (running) begin
    if (!weights_valid && weight < `WEIGHTS) weights_valid = !stalled(`STALL_IN);
    if (!ifmaps_valid && ifmap < `IFMAPS) ifmaps_valid = !stalled(`STALL_IN);
    outputs_ready = !stalled(`STALL_OUT);
  end

  always @(posedge clk) if (!rst) begin
    if (^{busy, weights_ready, ifmaps_ready, outputs_valid} === 1'bx) stop("x in the handshakes");
    if (outputs_valid && last === 1'bx) stop("x in last");
    if (was_waiting && (!outputs_valid || outputs_payload !== was_payload || last !== was_last))
      stop("an output was taken back");
    was_waiting = outputs_valid && !outputs_ready;
    was_payload = outputs_payload;
    was_last = last;
    if (busy) begin
      cycles = cycles + 1;
      if (outputs_valid && outputs_ready) begin
        $fwrite(outputs, "%h\n", outputs_payload);
        taken = taken + 1;
      end
      if (weights_valid && weights_ready) begin
        weight <= weight + 1;
        weights_valid <= 1'b0;
      end
      if (ifmaps_valid && ifmaps_ready) begin
        ifmap <= ifmap + 1;
        ifmaps_valid <= 1'b0;
      end
    end
    if (cycles == `LIMIT) stop("it does not end");
    if (running && !start && !busy && cycles > 0) begin
      $display("finished cycles %0d weights %0d ifmaps %0d outputs %0d", cycles, weight, ifmap,
               taken);
      $finish;
    end
  end

  task stop(input [8 * 32 - 1:0] why);
    begin
      $display("stopped in cycle %0d: %0s", cycles, why);
      $finish;
    end
  endtask
endmodule
