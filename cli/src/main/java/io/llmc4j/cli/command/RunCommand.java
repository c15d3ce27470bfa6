package io.llmc4j.cli.command;

import picocli.CommandLine.Command;

@Command(name = "run")
final class RunCommand implements Runnable { public void run() { } }
