/**
 * A small tape for the methods that learn: operations on float32 matrices with their gradients, AdamW. One file holds the operations of
 * one kind; each names the mathematics that it differentiates. Nothing here knows what a method is.
 */
package io.llmc4j.engine.autodiff;
