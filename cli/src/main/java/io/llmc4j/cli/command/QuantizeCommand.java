package io.llmc4j.cli.command;

import picocli.CommandLine.Command;

@Command(name = "quantize")
final class QuantizeCommand implements Runnable { public void run() { } }
