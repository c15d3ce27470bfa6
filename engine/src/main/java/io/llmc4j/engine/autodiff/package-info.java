/**
 * A small tape for the methods that learn: operations, gradients, AdamW.
 */
package io.llmc4j.engine.autodiff;
