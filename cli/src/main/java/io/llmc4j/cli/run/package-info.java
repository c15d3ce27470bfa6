/** From a configuration to a run: resolves names to models, methods and formats, checks everything first, and follows the run's events. */
package io.llmc4j.cli.run;
