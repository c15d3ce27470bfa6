package io.llmc4j.cli.command;

import picocli.CommandLine.Command;

@Command(name = "models")
final class ModelsCommand implements Runnable { public void run() { } }
