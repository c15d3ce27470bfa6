package io.llmc4j.cli.command;

import picocli.CommandLine.Command;

@Command(name = "methods")
final class MethodsCommand implements Runnable { public void run() { } }
