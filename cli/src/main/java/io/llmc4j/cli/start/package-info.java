/** What is done once, after a build, so that starts are short: old class files made new, and the ways that starts go walked for the JDK to remember. Everything works without it. */
package io.llmc4j.cli.start;
