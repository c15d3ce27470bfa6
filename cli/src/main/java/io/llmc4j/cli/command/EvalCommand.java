package io.llmc4j.cli.command;

import picocli.CommandLine.Command;

@Command(name = "eval")
final class EvalCommand implements Runnable { public void run() { } }
